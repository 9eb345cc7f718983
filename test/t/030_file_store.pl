# Object stores: registration in SQL, and the directory store.

use strict;
use warnings;

use Fcntl qw(:mode);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('file_store');
$node->init;
# few descriptors: many open writers must do with them
$node->append_conf('postgresql.conf', 'max_files_per_process = 64');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

my $root = PostgreSQL::Test::Utils::tempdir;
mkdir "$root/$_" or die foreach qw(lake lake/in out);

# SQLSTATE and message of the error that a statement must raise
sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}

sub value { return $node->safe_psql('postgres', $_[0]); }

sub write_file
{
	my ($path, $contents) = @_;
	open my $file, '>', $path or die "$path: $!";
	print $file $contents;
	close $file;
}

sub keys_of { return value("SELECT string_agg(key, ' ') FROM appflow.list_objects('lake', '$_[0]')"); }

# ---------- registration ----------

like(error_of("SELECT appflow.create_object_store('x', 'file://host/dir')"),
	qr/^WF400: endpoint "file:\/\/host\/dir" of object store "x" is not valid/, 'a host in a file URL');
like(error_of("SELECT appflow.create_object_store('x', 'file:relative')"), qr/^WF400: endpoint/, 'a relative path');
like(error_of("SELECT appflow.create_object_store('x', 'file:///%0')"), qr/^WF400: endpoint/, 'a bad escape');
like(error_of("SELECT appflow.create_object_store('x', 'file://$root/nowhere')"),
	qr/^WF400: could not find directory "\Q$root\E\/nowhere" .*: No such file/, 'a directory that is not there');
write_file("$root/plain", 'x');
like(error_of("SELECT appflow.create_object_store('x', 'file://$root/plain')"), qr/^WF400: .*is not a directory/, 'a file');
foreach my $own ($node->data_dir, $node->data_dir . '/base', $node->basedir, '/')
{
	like(error_of("SELECT appflow.create_object_store('x', 'file://$own')"),
		qr/^WF400: .*must not hold or be part of the database cluster/, "the cluster's own $own");
}
symlink $node->data_dir, "$root/disguise";
like(error_of("SELECT appflow.create_object_store('x', 'file://$root/disguise/base')"),
	qr/^WF400: .*must not hold or be part/, 'the data directory behind a link');
mkdir "$root/locked", 0555;
like(error_of("SELECT appflow.create_object_store('x', 'file://$root/locked')"),
	qr/^WF400: the database server may not write to directory/, 'a directory that is not writable');
like(error_of("SELECT appflow.create_object_store('x', 'file://$root', region => 'eu-west-1')"),
	qr/^WF400: .*takes neither a region nor credentials/, 'a directory with a region');
like(error_of("SELECT appflow.create_object_store('x', 'file://$root', buckets => '{a/b}')"),
	qr/^WF400: "a\/b" is not a valid pattern/, 'a bad pattern');
like(error_of("SELECT appflow.create_object_store('x', 'file://$root', buckets => '{}')"), qr/^WF400/, 'no pattern');
like(error_of("SELECT appflow.create_object_store(NULL, 'file://$root')"), qr/^WF400/, 'no name');

like(error_of("SELECT * FROM appflow.list_objects('lake')"), qr/^WF404: no object store serves bucket "lake"/, 'no store yet');
value("SELECT appflow.create_object_store('local', 'file://$root/')");
like(error_of("SELECT appflow.create_object_store('local', 'file://$root')"), qr/^WF409: object store "local" already exists/, 'a name that is taken');
like(error_of("SELECT appflow.alter_object_store('other', 'file://$root')"), qr/^WF404: object store "other" does not exist/, 'altering what is not there');
like(error_of("SELECT appflow.drop_object_store('other')"), qr/^WF404: object store "other" does not exist/, 'dropping what is not there');
is(value("SELECT name, endpoint, buckets, has_credentials FROM appflow.object_stores"),
	"local|file://$root/|{*}|f", 'the view shows it');

# the most specific pattern serves
my $second = PostgreSQL::Test::Utils::tempdir;
mkdir "$second/$_" foreach qw(out out-1 out-12);
mkdir "$root/$_" foreach qw(out-1 out-12);
write_file("$root/out/where", 'first');
write_file("$root/$_/where", 'first') foreach qw(out-1 out-12);
write_file("$second/$_/where", 'second') foreach qw(out out-1 out-12);
sub where { return value("SELECT convert_from(appflow.read_object('$_[0]', 'where'), 'UTF8')"); }
value("SELECT appflow.create_object_store('aa', 'file://$second', '{out-?,nothing*}')");
is(join(' ', map { where($_) } qw(out out-1 out-12)), 'first second first', 'a longer pattern goes before a shorter one');
value("SELECT appflow.alter_object_store('aa', buckets => '{o*t-12}'); SELECT appflow.alter_object_store('local', buckets => '{*,out-12}')");
is(join(' ', map { where($_) } qw(out out-1 out-12)), 'first first first', 'a name goes before a pattern');
value("SELECT appflow.alter_object_store('aa', buckets => '{*}'); SELECT appflow.alter_object_store('local', buckets => '{*}')");
is(join(' ', map { where($_) } qw(out out-1)), 'second second', 'the name of the store decides among equals');
is(value("SELECT endpoint FROM appflow.object_stores WHERE name = 'aa'"), "file://$second", 'altering changes nothing else');
value("SELECT appflow.drop_object_store('aa')");
is(where('out'), 'first', 'a dropped store serves no more');

# rights
value('CREATE ROLE plain LOGIN; GRANT USAGE ON SCHEMA appflow TO plain');
foreach my $call ("create_object_store('p', 'file:///tmp')", "drop_object_store('local')",
	"list_objects('lake')", "read_object('out', 'where')", "write_object('out', 'x', 'x')", "delete_object('out', 'where')")
{
	like(error_of("SET ROLE plain; SELECT appflow.$call"), qr/^42501: permission denied for function/, "not for everybody: $call");
}
like(error_of("SET ROLE plain; SELECT * FROM appflow.$_"), qr/^42501: permission denied/, "$_ is not for everybody")
	foreach qw(object_stores object_store secrets secret);
value('GRANT EXECUTE ON FUNCTION appflow.read_object TO plain');
like(error_of("SET ROLE plain; SELECT appflow.read_object('out', 'where')"), qr/^WF403: role "plain" may not use bucket "out"/, 'nor without the bucket');
value(q{SELECT appflow.grant_object_store('local', 'plain')});
is(value(q{SET ROLE plain;
	CREATE FUNCTION pg_temp.wrong(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''called as %'', current_user; END';
	CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.wrong);
	SET search_path = pg_temp, pg_catalog;
	SELECT convert_from(appflow.read_object('out', 'where'), 'UTF8')}) =~ /first$/, 1,
	'granted, and not to be steered by operators of the caller');

# ---------- listing ----------

write_file("$root/lake/$_", 'x') foreach qw(a-b a0 z .hidden);
mkdir "$root/lake/$_" foreach qw(a a/c a/c/deep empty);
write_file("$root/lake/a/$_", "in $_") foreach qw(b c-1 c/x c/deep/y c0);
is(keys_of(''), '.hidden a-b a/b a/c-1 a/c/deep/y a/c/x a/c0 a0 z', 'whole keys in byte order');
is(keys_of('a'), 'a-b a/b a/c-1 a/c/deep/y a/c/x a/c0 a0', 'prefix a');
is(keys_of('a/c'), 'a/c-1 a/c/deep/y a/c/x a/c0', 'prefix a/c');
is(keys_of('a/c/'), 'a/c/deep/y a/c/x', 'prefix a/c/');
is(keys_of($_), '', "no key begins with $_") foreach qw(a/c/deep/y/ nothing/ /a a//b a/../z ../out);
my $outside = PostgreSQL::Test::Utils::tempdir;
write_file("$outside/secret", 'secret');
symlink $outside, "$root/lake/linked";
symlink "$outside/secret", "$root/lake/link";
symlink $outside, "$root/linkedbucket";
POSIX::mkfifo("$root/lake/pipe", 0600);
is(keys_of(''), '.hidden a-b a/b a/c-1 a/c/deep/y a/c/x a/c0 a0 z', 'links and pipes are not listed');
is(keys_of('linked/'), '', 'nor what is behind a link');
utime 1700000000, 1700000000, "$root/lake/z";
is(value("SELECT size, extract(epoch FROM last_modified) FROM appflow.list_objects('lake', 'z')"), '1|1700000000.000000', 'size and time');
like(error_of("SELECT * FROM appflow.list_objects('nobucket')"), qr/^WF404: bucket "nobucket" does not exist in object store "local"/, 'a bucket that is not there');
like(error_of("SELECT * FROM appflow.list_objects('linkedbucket')"), qr/^WF404: bucket "linkedbucket" of object store "local" is not a folder/, 'a link is no bucket');
like(error_of("SELECT * FROM appflow.list_objects('plain')"), qr/^WF404: .*is not a folder/, 'a file is no bucket');
like(error_of("SELECT * FROM appflow.list_objects('$_')"), qr/^WF400: "\Q$_\E" is not a valid bucket name/, "no bucket: '$_'")
	foreach ('.appflow', '..', '.', '', 'a/b');

# two thousand in one folder
mkdir "$root/out/many";
write_file("$root/out/many/$_", '') foreach 1 .. 2000;
is(value(q{SELECT count(*), bool_and(key > before COLLATE "C") FROM
	(SELECT key, lag(key) OVER () AS before FROM appflow.list_objects('out', 'many/')) l}), '2000|t', 'a large folder in order');

# ---------- reading ----------

is(value("SELECT convert_from(appflow.read_object('lake', 'a/c/deep/y'), 'UTF8')"), 'in c/deep/y', 'contents');
write_file("$root/out/empty", '');
is(value("SELECT length(appflow.read_object('out', 'empty'))"), '0', 'an empty object');
system('dd', 'if=/dev/urandom', "of=$root/out/large", 'bs=1M', 'count=9', 'status=none');
my ($digest) = `sha256sum $root/out/large` =~ /^(\w+)/;
is(value("SELECT encode(sha256(appflow.read_object('out', 'large')), 'hex')"), $digest, 'a large object');
like(error_of("SELECT appflow.read_object('lake', '$_')"), qr/^WF404: object "\Q$_\E" does not exist in bucket "lake"/, "no object: $_")
	foreach qw(nothing a empty linked/secret link pipe a/b/c linked);
like(error_of("SELECT appflow.read_object('lake', '$_')"), qr/^WF400: /, "no key: '" . substr($_, 0, 20) . "'")
	foreach ('', '../out/where', 'a/../../out/where', '/etc/passwd', 'a//b', './z', 'a/', 'a/.', 'x' x 1025, 'y' x 256);
chmod 0000, "$root/lake/z";
like(error_of("SELECT appflow.read_object('lake', 'z')"), qr/^WF502: could not open object "z" of bucket "lake": Permission denied/, 'an object that may not be read');

# an object that grows while it is read
open my $growing, '>', "$root/out/growing" or die;
truncate $growing, 400 * 1024 * 1024;
my $appender = fork;
if ($appender == 0)
{
	seek $growing, 0, 2;
	$growing->autoflush(1);
	while (getppid != 1) { syswrite $growing, 'x'; select undef, undef, undef, 0.005; }
	POSIX::_exit(0);
}
like(error_of("SELECT length(appflow.read_object('out', 'growing'))"), qr/^WF502: object "growing" of bucket "out" was changed while it was read/, 'an object that grows');
kill 'KILL', $appender;
waitpid $appender, 0;
unlink "$root/out/growing";

# ---------- writing ----------

sub staged { return -e "$root/.appflow"; }
value("SELECT appflow.write_object('out', 'new/folder/é \"1\" +%=.csv', 'abc')");
is(slurp_file("$root/out/new/folder/é \"1\" +%=.csv"), 'abc', 'written into folders that were missing');
is(sprintf('%o', S_IMODE((stat "$root/out/new/folder/é \"1\" +%=.csv")[2])), '644', 'readable by all');
is(sprintf('%o', S_IMODE((stat "$root/out/new/folder")[2])), '755', 'in a folder that all may enter');
ok(!staged(), 'nothing is left staged');
value("SELECT appflow.write_object('out', 'new/folder/é \"1\" +%=.csv', 'other')");
is(slurp_file("$root/out/new/folder/é \"1\" +%=.csv"), 'other', 'overwritten');
value("SELECT appflow.write_object('out', 'large copy', appflow.read_object('out', 'large'))");
is((`sha256sum '$root/out/large copy'` =~ /^(\w+)/)[0], $digest, 'a large object');
value("SELECT appflow.write_object('out', 'nothing', '')");
is(-s "$root/out/nothing", 0, 'an empty object');

like(error_of("SELECT appflow.write_object('out', 'new/folder', 'x')"), qr/^WF502: could not write object "new\/folder" of bucket "out": its key names a folder/, 'a key that is a folder');
like(error_of("SELECT appflow.write_object('out', 'where/x', 'x')"), qr/^WF502: could not write object "where\/x".*has an object for a folder/, 'a key below an object');
like(error_of("SELECT appflow.write_object('lake', '$_', 'x')"), qr/^WF502: could not write/, "a key through a link: $_") foreach qw(linked/new link);
is(join(' ', sort map { s{.*/}{}r } glob "$outside/*"), 'secret', 'nothing was written behind the link');
is(slurp_file("$outside/secret"), 'secret', 'nor into it');
like(error_of("SELECT appflow.write_object('out', '$_', 'x')"), qr/^WF400: /, "no key to write: '$_'")
	foreach ('../x', '/x', 'a/', 'a//b', '..');
like(error_of("SELECT appflow.write_object('nobucket', 'x', 'x')"), qr/^WF404: bucket "nobucket"/, 'a bucket that is not there');
ok(!staged(), 'errors leave nothing staged');

# five hundred at a time with 64 descriptors, in several rounds
value(q{SELECT appflow.write_objects('out', array_agg('p/' || n % 7 || '/' || n),
	array_agg(convert_to(repeat(n || ',', 30000), 'UTF8'))) FROM generate_series(1, 500) n});
is(value(q{SELECT count(*), bool_and(contents = repeat(n || ',', 30000)) FROM generate_series(1, 500) n,
	convert_from(appflow.read_object('out', 'p/' || n % 7 || '/' || n), 'UTF8') contents}), '500|t', 'many objects side by side');
ok(!staged(), 'nothing is left staged');

# none appears unless all could be written
like(error_of(q{SELECT appflow.write_objects('out', array_agg('q/' || n) || '{where/x}', array_agg('x'::bytea) || 'x'::bytea) FROM generate_series(1, 50) n}),
	qr/^WF502: could not write object "where\/x"/, 'one of many fails');
ok(!-e "$root/out/q", 'and none is there');
ok(!staged(), 'nor anything staged');

# descriptors of one session, before and after failures
is(value(q{DO $$ BEGIN
	FOR i IN 1..200 LOOP
		BEGIN PERFORM appflow.write_objects('out', '{r/1,r/2,where/x}', '{a,b,c}'); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM appflow.read_object('out', 'p'); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM appflow.read_object('lake', 'pipe'); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM appflow.list_objects('nobucket'); EXCEPTION WHEN OTHERS THEN NULL; END;
		PERFORM appflow.read_object('out', 'where');
	END LOOP; END $$;
	CREATE TEMP TABLE descriptor (line text);
	COPY descriptor FROM PROGRAM 'ls -l /proc/$PPID/fd' WITH (DELIMITER E'\x01');
	SELECT count(*) > 5, count(*) FILTER (WHERE line LIKE } . "'%$root%') FROM descriptor"), 't|0', 'no descriptor leaks');

# what a killed process leaves is swept by its owner's name, and no other's
mkdir "$root/.appflow", 0700;
mkdir "$root/.appflow/$_", 0700 foreach qw(run-1 run-2);
write_file("$root/.appflow/$_/7", 'x') foreach qw(run-1 run-2);
unlike(value("SELECT coalesce(string_agg(key, ' '), '') FROM appflow.list_objects('out')"), qr/appflow/, 'staged objects are not listed');
value("SELECT appflow.remove_staged_objects('out', 'run-1')");
ok(!-e "$root/.appflow/run-1" && -e "$root/.appflow/run-2/7", 'swept');
value("SELECT appflow.remove_staged_objects('out', 'run-1')");
value("SELECT appflow.remove_staged_objects('out', 'run-2')");
ok(!staged(), 'swept all');
like(error_of("SELECT appflow.remove_staged_objects('out', '../lake')"), qr/^WF400: /, 'an owner is no path');

# a staging folder that is a link is not followed
symlink $outside, "$root/.appflow";
like(error_of("SELECT appflow.write_object('out', 'x', 'x')"), qr/^WF502: could not write object "x" of bucket "out" under/, 'staging is no link');
is(join(' ', map { s{.*/}{}r } glob "$outside/*"), 'secret', 'nothing was written behind it');
unlink "$root/.appflow";

# a file that may not be made
chmod 0555, "$root/out/new";
like(error_of("SELECT appflow.write_object('out', 'new/x', 'x')"), qr/^WF502: could not write object "new\/x" of bucket "out" under "\Q$root\E": Permission denied/, 'a folder that may not be written');
ok(!staged(), 'nothing is left staged');
chmod 0755, "$root/out/new";

# ---------- deleting ----------

value("SELECT appflow.delete_object('out', 'nothing'), appflow.delete_object('out', 'nothing'), appflow.delete_object('out', 'no/such/folder')");
ok(!-e "$root/out/nothing", 'deleted, and once more');
value("SELECT appflow.delete_object('lake', 'link'), appflow.delete_object('lake', 'linked/secret'), appflow.delete_object('lake', 'a')");
ok(-l "$root/lake/link" && -e "$outside/secret" && -d "$root/lake/a", 'links and folders are not objects');

# a dump has the stores
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
like($dump, qr/^COPY appflow\.object_store \(.*\nlocal\tfile:\/\/\Q$root\E/m, 'a dump has the stores');

chmod 0755, "$root/locked";
$node->stop;
done_testing();
