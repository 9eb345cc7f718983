#!/usr/bin/perl
#
# make_named_forms.pl
#	Makes the second signature of every operation out of the model: its members
#	as named parameters.
#
#	perl make_named_forms.pl appflow.shapes >../../sql/59-named-forms.sql
#
# Parameters are the members in snake_case: strings are text, numbers integer or
# bigint, booleans boolean, lists of strings text[], and everything else jsonb.
# Required ones come first; a text comes first of all.  For a literal without a
# type PostgreSQL prefers text to jsonb, so the text form takes a first argument
# that is an object as the whole request: no name begins with a brace.
#
use strict;
use warnings;

my (@operations, %kind, %element, %members, $current);

while (<>)
{
	if (/^operation (\S+) \S+ \S+ (\S+)/) { push @operations, [ $1, $2 ]; }
	elsif (/^\t(?:pattern|enum) /) { next; }
	elsif (/^\t(\S+) (\S+)(.*)/) { push @{ $members{$current} }, { name => $1, shape => $2, flags => $3 }; }
	elsif (/^(\w+) (\S+)(?: (\S+))?/)
	{
		$current = $2;
		$kind{$current} = $1;
		$element{$current} = $3 if $1 eq 'list';
	}
}

my %scalar = (
	string => 'text',
	integer => 'integer',
	long => 'bigint',
	double => 'double precision',
	boolean => 'boolean',
	timestamp => 'timestamptz');

sub type_of
{
	my ($shape) = @_;
	return $scalar{ $kind{$shape} } if $scalar{ $kind{$shape} };
	return 'text[]' if $kind{$shape} eq 'list' && $kind{ $element{$shape} } eq 'string';
	return 'jsonb';
}

sub snake
{
	my ($name) = @_;
	$name =~ s/(?<=[a-z0-9])([A-Z])/_$1/g;
	return lc $name;
}

print <<'END';
-- ---------------------------------------------------------------------------
-- Operations with their members as parameters.  Made of the model by
-- src/operations/make_named_forms.pl; change that, not this.
--
-- They call the other form, with the caller's privileges: whoever may call that
-- may call these.
-- ---------------------------------------------------------------------------
END

foreach (sort { $a->[0] cmp $b->[0] } @operations)
{
	my ($operation, $input) = @$_;
	my $function = snake($operation);
	my @all = map { { %$_, parameter => snake($_->{name}), type => type_of($_->{shape}) } }
	  grep { $_->{flags} !~ /\bextra\b/ } @{ $members{$input} || [] };
	my @required = grep { $_->{flags} =~ /\brequired\b/ } @all;
	my @optional = grep { $_->{flags} !~ /\brequired\b/ } @all;
	my $front = @required ? \@required : \@optional;
	my ($text) = grep { $front->[$_]{type} eq 'text' } 0 .. $#$front;

	unshift @$front, splice @$front, $text, 1 if $text;
	my @parameters = (@required, @optional);
	my $first = $parameters[0];
	my $request = join ",\n", map { "\t\t'$_->{name}', $_->{parameter}" } @all;
	my $call = "$function(pg_catalog.jsonb_build_object(\n$request))";

	if (defined $text)
	{
		$call = "CASE WHEN pg_catalog.ltrim($first->{parameter}, E' \\t\\r\\n') OPERATOR(pg_catalog.~~) '{%'\n"
		  . "\t\tTHEN $function($first->{parameter}::jsonb)\n\t\tELSE $call END";
	}
	print "\nCREATE FUNCTION $function(\n",
	  join(",\n", (map { "\t$_->{parameter} $_->{type}" } @required),
		(map { "\t$_->{parameter} $_->{type} DEFAULT NULL" } @optional)),
	  ")\nRETURNS jsonb LANGUAGE sql VOLATILE\nRETURN $call;\n\n",
	  "COMMENT ON FUNCTION $function(", join(', ', map { $_->{type} } @parameters), ") IS\n",
	  "\t'$operation with its members as parameters"
	  . (@required ? '; required: ' . join(', ', map { $_->{parameter} } @required) : '') . "';\n";
}
