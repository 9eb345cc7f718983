#!/usr/bin/perl
#
# make_shape_table.pl
#	  Makes shape_table.c and shape_table.h of appflow.shapes.
#
#	  perl make_shape_table.pl appflow.shapes outputdirectory
#
# Both files are committed, so that building needs no Perl; test/t/041_shape_table.pl
# sees that they are what this script makes.

use strict;
use warnings;

die "usage: $0 appflow.shapes outputdirectory\n" unless @ARGV == 2;
my ($model, $directory) = @ARGV;

my %flag_of_word = (
	required => 'MEMBER_REQUIRED',
	token => 'MEMBER_TOKEN',
	uri => 'MEMBER_IN_URI',
	query => 'MEMBER_IN_QUERY',
	extra => 'MEMBER_EXTRA');

my %exception_bit = (
	ValidationException => 'WF_VALIDATION',
	ConnectorAuthenticationException => 'WF_AUTHENTICATION',
	ServiceQuotaExceededException => 'WF_QUOTA',
	AccessDeniedException => 'WF_ACCESS_DENIED',
	ResourceNotFoundException => 'WF_NOT_FOUND',
	UnsupportedOperationException => 'WF_UNSUPPORTED',
	ConflictException => 'WF_CONFLICT',
	ThrottlingException => 'WF_THROTTLING',
	InternalServerException => 'WF_INTERNAL',
	ConnectorServerException => 'WF_CONNECTOR');

my (@operations, @shapes);

open(my $in, '<', $model) or die "$model: $!\n";
while (my $line = <$in>)
{
	chomp $line;
	next if $line =~ /^(#|\s*$)/;
	if ($line =~ /^\t(.*)/)
	{
		my $detail = $1;
		my $shape = $shapes[-1] or die "$model:$.: detail without a shape\n";
		if ($shape->{kind} eq 'structure')
		{
			my ($name, $of, @words) = split ' ', $detail;
			push @{ $shape->{members} }, { name => $name, of => $of, words => \@words };
		}
		elsif ($detail =~ /^pattern (.+)/) { $shape->{pattern} = $1; }
		elsif ($detail =~ /^enum (.+)/) { $shape->{enum} = [ split ' ', $1 ]; }
		else { die "$model:$.: cannot read \"$detail\"\n"; }
		next;
	}
	my ($kind, $name, @words) = split ' ', $line;
	if ($kind eq 'operation')
	{
		my ($method, $uri, $input, $output, @errors) = @words;
		push @operations, { name => $name, method => $method, uri => $uri,
			input => $input, output => $output, errors => \@errors };
		next;
	}
	my $shape = { kind => $kind, name => $name, min => -1, max => -1 };
	$shape->{key} = shift @words if $kind eq 'map';
	$shape->{element} = shift @words if $kind eq 'map' || $kind eq 'list';
	foreach (@words)
	{
		if (/^(min|max)=(\d+)$/) { $shape->{$1} = $2; }
		elsif ($_ eq 'sensitive' || $_ eq 'exception') { $shape->{$_} = 1; }
		else { die "$model:$.: cannot read \"$_\"\n"; }
	}
	push @shapes, $shape;
}
close $in;

my %known = map { $_->{name} => 1 } @shapes;

sub id
{
	my ($name) = @_;
	die "no shape \"$name\"\n" unless $known{$name};
	return "SHAPE_$name";
}

sub quoted
{
	my ($text) = @_;
	$text =~ s/([\\"])/\\$1/g;
	return "\"$text\"";
}

# The patterns are Java's and hold for the whole value.  PostgreSQL's advanced
# regular expressions read nearly all of it the same way; what differs:
#  - a dot does not match a line terminator,
#  - characters beyond U+FFFF are written as pairs of surrogates,
# and groups need not capture, which lets the engine work in linear time.
sub advanced
{
	my ($java) = @_;
	my $out = '';
	my $in_class = 0;
	while ($java ne '')
	{
		if ($in_class && $java =~ s/^\\uD800\\uDC00-\\uDBFF\\uDFFF//) { $out .= '\\U00010000-\\U0010FFFF'; }
		elsif ($java =~ s/^(\\.)//) { $out .= $1; }
		elsif ($in_class)
		{
			$in_class = 0 if $java =~ /^\]/;
			die "nested class in a pattern\n" if $java =~ /^(\[|&&)/;
			$out .= substr($java, 0, 1, '');
		}
		elsif ($java =~ s/^\[//) { $in_class = 1; $out .= '['; }
		elsif ($java =~ s/^\.//) { $out .= '[^\\n\\r\\u0085\\u2028\\u2029]'; }
		elsif ($java =~ s/^\((?!\?)//) { $out .= '(?:'; }
		else { $out .= substr($java, 0, 1, ''); }
	}
	return "^(?:$out)\$";
}

my (@members, @values, @patterns, %pattern_of, @rows);
foreach my $shape (@shapes)
{
	my %row = (name => quoted($shape->{name}), kind => 'KIND_' . uc $shape->{kind});
	my @flags;
	push @flags, 'SHAPE_SENSITIVE' if $shape->{sensitive};
	push @flags, 'SHAPE_EXCEPTION' if $shape->{exception};
	$row{flags} = join(' | ', @flags) if @flags;
	$row{min} = $shape->{min} if $shape->{min} >= 0;
	$row{max} = $shape->{max} if $shape->{max} >= 0;
	$row{element} = id($shape->{element}) if $shape->{element};
	$row{key} = id($shape->{key}) if $shape->{key};
	if ($shape->{members})
	{
		$row{first} = scalar @members;
		$row{count} = scalar @{ $shape->{members} };
		foreach (@{ $shape->{members} })
		{
			my @flag = map { $flag_of_word{$_} // die "no member flag \"$_\"\n" } @{ $_->{words} };
			push @members, '{' . join(', ', quoted($_->{name}), id($_->{of}), @flag ? join(' | ', @flag) : '0')
			  . '}';
		}
		$members[ $row{first} ] = "/* $shape->{name} */\n\t" . $members[ $row{first} ];
	}
	if ($shape->{enum})
	{
		$row{first} = scalar @values;
		$row{count} = scalar @{ $shape->{enum} };
		push @values, map { quoted($_) } @{ $shape->{enum} };
		$values[ $row{first} ] = "/* $shape->{name} */\n\t" . $values[ $row{first} ];
	}
	if (defined $shape->{pattern})
	{
		my $pattern = $shape->{pattern};
		if (!defined $pattern_of{$pattern})
		{
			push @patterns, '{' . quoted($pattern) . ",\n\t" . quoted(advanced($pattern)) . '}';
			$pattern_of{$pattern} = @patterns;
		}
		$row{pattern} = $pattern_of{$pattern};
	}
	$row{min} //= -1;
	$row{max} //= -1;
	push @rows, '{' . join(', ',
		map { ".$_ = $row{$_}" } grep { defined $row{$_} }
		  qw(name kind flags first count element key pattern min max)) . '}';
}

my @operation_rows = map {
	my $operation = $_;
	my @bits = map {
		'RAISES(' . ($exception_bit{$_} // die "no exception \"$_\"\n") . ')'
	} @{ $operation->{errors} };
	'{' . join(', ', quoted($operation->{name}), quoted($operation->{method}), quoted($operation->{uri}),
		id($operation->{input}), id($operation->{output})) . ",\n\t" . join(' | ', @bits) . '}'
} @operations;

sub header
{
	my ($file, $title) = @_;
	return <<"END";
/*-------------------------------------------------------------------------
 *
 * $file
 *	  $title
 *
 * Made by make_shape_table.pl of appflow.shapes; do not edit.
 *
 * IDENTIFICATION
 *	  src/operations/$file
 *
 *-------------------------------------------------------------------------
 */
END
}

sub save
{
	my ($file, $text) = @_;
	open(my $out, '>', "$directory/$file") or die "$directory/$file: $!\n";
	print $out $text;
	close $out or die "$directory/$file: $!\n";
}

save('shape_table.h', header('shape_table.h', 'Names of the shapes of the wire model.') . <<"END");
#ifndef APPFLOW_SHAPE_TABLE_H
#define APPFLOW_SHAPE_TABLE_H

typedef enum ShapeId
{
@{[join ",\n", map { "\t" . id($_->{name}) } @shapes]}
} ShapeId;

#define SHAPE_COUNT @{[scalar @shapes]}
#define SHAPE_PATTERN_COUNT @{[scalar @patterns]}
#define SHAPE_OPERATION_COUNT @{[scalar @operations]}

#endif							/* APPFLOW_SHAPE_TABLE_H */
END

save('shape_table.c', header('shape_table.c', 'The wire model of AppFlow: operations, shapes, patterns.') . <<"END");
#include "postgres.h"

#include "operations/shapes.h"
#include "record/errors.h"

#define RAISES(exception) (1 << (exception))

const ShapeOperation shape_operations[SHAPE_OPERATION_COUNT] = {
\t@{[join ",\n\t", @operation_rows]}
};

const Shape shape_table[SHAPE_COUNT] = {
\t@{[join ",\n\t", map { '[' . id($shapes[$_]{name}) . "] = $rows[$_]" } 0 .. $#shapes]}
};

const ShapeMember shape_members[] = {
\t@{[join ",\n\t", @members]}
};

const char *const shape_enum_values[] = {
\t@{[join ",\n\t", @values]}
};

/* as the model writes them, and for PostgreSQL's engine; numbered from 1 in shape_table */
const ShapePattern shape_patterns[SHAPE_PATTERN_COUNT] = {
\t@{[join ",\n\t", @patterns]}
};
END
