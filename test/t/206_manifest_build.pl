# What make does with manifests: right ones become C that has them byte by byte, wrong
# ones end the build with file, place and reason.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $place = PostgreSQL::Test::Utils::tempdir();
sub embed
{
	my (%files) = @_;
	my ($out, $err);

	foreach my $name (keys %files)
	{
		open my $file, '>:raw', "$place/$name" or die;
		print $file $files{$name};
		close $file;
	}
	IPC::Run::run([ "$ENV{APPFLOW_BUILD}/embed_manifests_make", map { "$place/$_" } sort keys %files ], '>', \$out, '2>', \$err);
	my $status = $? >> 8;
	$err =~ s/\Q$place\E\///g;
	return ($status, $out, $err);
}
sub manifest { my ($name, $more) = @_; return qq({"manifest": 1, "connector": "$name", "entities": [{"name": "\xc3\xa4", "fields": [{"name": "id"}], "read": {"path": "/a"$more}}]}\n); }

my ($status, $out, $err) = embed('a.json' => manifest('A', ''), 'b.json' => manifest('B', ''));
is($status, 0, 'right ones');
is($err, '', 'no words');
my ($bytes) = $out =~ /text_1\[\] = \{(.*?)\}/s;
is(join('', map { chr($_ & 255) } $bytes =~ /-?\d+/g), manifest('A', '') . "\0", 'every byte');
like($out, qr/\{"a\.json", "A", text_1, \d+\},\n\t\{"b\.json", "B", text_2, \d+\},/, 'a table of both');
like($out, qr/embedded_manifest_count = 2;/, 'and how many there are');
open my $c, '>', "$place/m.c";
print $c $out;
close $c;

($status, $out, $err) = embed('a.json' => manifest('A', ', "pagin": {}'), 'b.json' => "{\n  \"manifest\": 1,\n  oops", 'c.json' => manifest('C', ''));
is($status, 1, 'wrong ones');
is($err, "a.json: entities[0].read: unknown key \"pagin\"; the nearest is \"paging\"\nb.json: line 3, column 3: a member's name is missing\n",
	'all are named, with place and reason');
($status, $out, $err) = embed('a.json' => manifest('A', ''), 'b.json' => manifest('A', ''), 'c.json' => '');
is($status, 1, 'two of one connector');
like($err, qr/^b\.json: connector: "A" is described by \S*a\.json already$/m, 'are named');
like($err, qr/^c\.json: line 1, column 1: the document ends too early$/m, 'nothing is no manifest');
($status, $out, $err) = embed();
is($status, 0, 'none at all');
unlink "$place/c.json";
IPC::Run::run([ "$ENV{APPFLOW_BUILD}/embed_manifests_make", "$place/nowhere.json" ], '>', \$out, '2>', \$err);
is($? >> 8, 1, 'a file that is not there');
like($err, qr/nowhere\.json: cannot be read: No such file/, 'is named');

done_testing();
