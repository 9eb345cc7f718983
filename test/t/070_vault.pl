# The vault: master keys from files and commands, what is done to rows, rotation.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = PostgreSQL::Test::Cluster->new('vault');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'appflow'\nlog_min_messages = debug1\n");
$node->start;
my $place = PostgreSQL::Test::Utils::tempdir();
my $data = $node->data_dir;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

sub value { return $node->safe_psql('postgres', $_[0]); }

# SQLSTATE, message, and all that was said
sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}

sub all_of_error { my (undef, undef, $stderr) = $node->psql('postgres', $_[0]); return $stderr; }

# the setting, as every session has it from here on
sub set_key
{
	my ($setting) = @_;
	$setting =~ s/'/''/g;
	value("ALTER SYSTEM SET appflow.master_key = '$setting'");
	value('SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "SELECT current_setting('appflow.master_key') = '$setting'") or die 'reload';
	return;
}

sub key_file
{
	my ($name, $text, $mode) = @_;
	unlink "$place/$name";
	append_to_file("$place/$name", $text);
	chmod $mode // 0600, "$place/$name";
	return "$place/$name";
}

# alter_object_store() without changes opens the credentials and seals them anew
my $create = "SELECT appflow.create_object_store('lake', 'https://127.0.0.1:1', '{lake}', 'eu-west-1', 'AKIDPLANTED12345', 'planted-secret-1', 'planted-token-1')";
my $open = "SELECT appflow.alter_object_store('lake')";

# ---------- no key ----------

mkdir "$place/store";
is(value("SELECT appflow.create_object_store('dir', 'file://$place/store')"), '', 'a directory needs no key');
value("SELECT appflow.drop_object_store('dir')");
like(error_of($create), qr/^55000: there is no master key to seal credentials with/, 'no key, no credentials');
my $said = all_of_error($create);
like($said, qr/HINT:.*SELECT appflow\.create_master_key_file\('.*'\); ALTER SYSTEM SET appflow\.master_key = 'file:.*'; SELECT pg_reload_conf\(\);/,
	'the hint is what to do');
unlike($said =~ s/^LINE.*//mgr, qr/planted/, 'and does not repeat the credentials');
is(value('SELECT count(*) FROM appflow.object_stores'), '0', 'nothing was created');

# the hint, followed word by word
my ($steps) = $said =~ /HINT:\s+As a superuser: (.*)/;
$steps =~ s{/directory/outside/of/the/data}{$place}g;
is(value($steps), "file:$place/appflow.key\nt", 'the hint works');
$node->poll_query_until('postgres', "SELECT current_setting('appflow.master_key') <> ''");
is(value($create), '', 'and then there are credentials');
is(value($open), '', 'that open');
is(value('SELECT purpose, name, length(key_id) FROM appflow.secrets'), 'object store|lake|16', 'the view shows whose they are');
is(value('SELECT access_key_id, has_credentials FROM appflow.object_stores'), '****2345|t', 'and of a key id the end');

# ---------- making a key file ----------

my $mode = sub { return sprintf '%04o', (stat $_[0])[2] & 07777; };
is($mode->("$place/appflow.key"), '0600', 'a key file is its owner\'s');
like(slurp_file("$place/appflow.key"), qr/^[0-9a-f]{16}:[0-9a-f]{64}\n\z/, 'it holds a key');
my $before = slurp_file("$place/appflow.key");
like(error_of("SELECT appflow.create_master_key_file('$place/appflow.key')"), qr/could not create master key file ".*": File exists/, 'never written over');
is(slurp_file("$place/appflow.key"), $before, 'not in a byte');
like(error_of("SELECT appflow.create_master_key_file('$data/appflow.key')"), qr/must not be in the data directory/, 'not in the data directory');
symlink $data, "$place/disguise";
like(error_of("SELECT appflow.create_master_key_file('$place/disguise/base/appflow.key')"), qr/must not be in the data directory/, 'nor behind a link');
like(error_of("SELECT appflow.create_master_key_file('appflow.key')"), qr/must be absolute/, 'nor relative');
like(error_of("SELECT appflow.create_master_key_file('$place/')"), qr/does not name a file/, 'nor a directory');
like(error_of("SELECT appflow.create_master_key_file('$place/nowhere/key')"), qr/could not find directory/, 'nor nowhere');
symlink "$place/new-target", "$place/dangling";
like(error_of("SELECT appflow.create_master_key_file('$place/dangling')"), qr/File exists/, 'nor through a link');
ok(!-e "$place/new-target" && !-e "$data/appflow.key" && !-e "$data/base/appflow.key", 'nothing was made');
value('CREATE ROLE plain LOGIN');
foreach my $call ("create_master_key_file('$place/x')", 'rotate_master_key()', 'rewrap_secrets()', "read_secret_file('$place/appflow.key')")
{
	like(error_of("SET ROLE plain; SELECT appflow.$call"), qr/^42501: permission denied/, "not for everybody: $call");
}
value('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA appflow TO plain');
like(error_of("SET ROLE plain; SELECT appflow.$_"), qr/^WF403: must be superuser/, "for superusers alone: $_")
	foreach "create_master_key_file('$place/x')", 'rotate_master_key()', "read_secret_file('$place/appflow.key')";
is(error_of('SET ROLE plain; SELECT appflow.rewrap_secrets()'), 'no error: ', 'rewrapping can be granted');
value('REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA appflow FROM plain');
like(error_of('SET ROLE plain; SHOW appflow.master_key'), qr/^42501: (must (be|have)|permission denied)/, 'where the keys are is not for everybody');
like(error_of("SET ROLE plain; SELECT * FROM appflow.$_"), qr/^42501: permission denied/, "$_ is not for everybody") foreach qw(secret secrets);

# ---------- the setting ----------

foreach my $setting ('file:relative', 'file:', 'command:', 'command:  ', '/etc/key', 'vault:x', 'FILE:/x')
{
	like(error_of("ALTER SYSTEM SET appflow.master_key = '$setting'"), qr/^22023: invalid value for parameter "appflow.master_key"/, "no setting: $setting");
}
like(error_of("SET appflow.master_key = ''"), qr/^55P02: /, 'not for a session to change');

# ---------- files ----------

my ($id, $hex) = $before =~ /^(\w+):(\w+)/;
my $raw = pack 'H*', $hex;
foreach (
	[ 'a line without an id', "$hex\n" ],
	[ 'base64', do { require MIME::Base64; MIME::Base64::encode_base64($raw) } ],
	[ 'bytes', $raw ],
	[ 'the second of two', "newer:" . ('ab12' x 16) . "\n$id:$hex\n" ],
	[ 'only readable', $before, 0400 ])
{
	my ($what, $text, $mode) = @$_;
	set_key('file:' . key_file('form.key', $text, $mode));
	is(error_of("BEGIN; $open; ROLLBACK"), 'no error: ', "the same key as $what");
}
symlink "$place/appflow.key", "$place/link.key";
set_key("file:$place/link.key");
is(error_of("BEGIN; $open; ROLLBACK"), 'no error: ', 'and through a link');

foreach (
	[ 'readable by the group', 'mode.key', $before, 0640, qr/^F0000: master key file ".*" must be readable by the database server's user and nobody else/ ],
	[ 'readable by all', 'mode.key', $before, 0604, qr/^F0000: .* nobody else/ ],
	[ 'executable', 'mode.key', $before, 0700, qr/^F0000: .* nobody else/ ],
	[ 'empty', 'empty.key', '', 0600, qr/^F0000: the text that appflow.master_key leads to cannot be used/ ],
	[ 'a passphrase', 'word.key', "planted-passphrase\n", 0600, qr/^F0000: the text that appflow.master_key leads to cannot be used/ ],
	[ 'zeros', 'zero.key', "\0" x 32, 0600, qr/^F0000: the text/ ],
	[ 'too large', 'large.key', "\n" x 100_000, 0600, qr/could not read master key file ".*": File too large/ ],
	[ 'another key', 'other.key', 'ab12' x 16, 0600, qr/^55000: credentials of object store "lake" cannot be opened: master key "$id" is not known/ ],
	[ 'another key of the same id', 'same.key', "$id:" . 'ab12' x 16, 0600,
		qr/^WF500: credentials of object store "lake" cannot be opened: they were changed, or sealed with another master key that is called "$id" too/ ])
{
	my ($what, $name, $text, $mode, $expected) = @$_;
	set_key('file:' . key_file($name, $text, $mode));
	like(error_of($open), $expected, "a key file that is $what");
	unlike(all_of_error($open), qr/planted|ab12ab12|$hex/, 'says nothing that is in it');
}
mkdir "$place/folder.key", 0600;
set_key("file:$place/folder.key");
like(error_of($open), qr/^F0000: .*is not a regular file/, 'a folder');
system('mkfifo', '-m', '600', "$place/pipe.key") == 0 or die;
set_key("file:$place/pipe.key");
like(error_of($open), qr/^F0000: .*is not a regular file/, 'a pipe that nobody writes to');
set_key("file:$place/missing.key");
like(error_of($open), qr/^58P01: could not open master key file ".*": No such file/, 'no file');
append_to_file("$data/inside.key", $before);
chmod 0600, "$data/inside.key";
symlink "$data/inside.key", "$place/inside.key";
foreach my $path ("$data/inside.key", "$place/inside.key", "$place/disguise/inside.key")
{
	set_key("file:$path");
	like(error_of($open), qr/^F0000: .*must not be in the data directory/, 'a file in the data directory');
}
unlink "$data/inside.key";
is(value("SELECT count(*) FROM appflow.object_stores") . value("SELECT count(*) FROM appflow.secrets"), '11', 'views need no key');
set_key("file:$place/appflow.key");
is(value($open), '', 'with the right key again, all is well');

# ---------- what is done to rows ----------

value("SELECT appflow.create_object_store('other', 'https://127.0.0.1:1', '{other}', 'eu-west-1', 'AKIDPLANTED12345', 'planted-secret-2')");
sub tampered
{
	my ($change) = @_;
	return error_of("BEGIN; $change; $open; ROLLBACK");
}
my $wrong = qr/^WF500: credentials of object store "lake" cannot be opened: they were changed/;
my %sizes = (sealed_key => value(q{SELECT length(sealed_key) FROM appflow.secret WHERE name = 'lake'}),
	sealed_text => value(q{SELECT length(sealed_text) FROM appflow.secret WHERE name = 'lake'}));
is($sizes{sealed_key}, 61, 'size of a sealed key');
foreach my $column (sort keys %sizes)
{
	# every byte, in one session; what each says is counted
	is(value(qq{
		CREATE FUNCTION pg_temp.said(byte int) RETURNS text LANGUAGE plpgsql AS \$\$
		DECLARE message text;
		BEGIN
			UPDATE appflow.secret SET $column = set_byte($column, byte, get_byte($column, byte) # (1 << (byte % 8))) WHERE name = 'lake';
			PERFORM appflow.alter_object_store('lake');
			RETURN 'opened';
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
			RETURN sqlstate || CASE WHEN message ~ 'cannot be opened: they were changed' AND message !~ 'planted' THEN ' clear' ELSE message END;
		END\$\$;
		SELECT pg_temp.said(byte), count(*) FROM generate_series(0, $sizes{$column} - 1) byte GROUP BY 1}),
		"WF500 clear|$sizes{$column}", "each byte of $column counts");
}
foreach my $column (sort keys %sizes)
{
	like(tampered("UPDATE appflow.secret SET $column = '' WHERE name = 'lake'"), $wrong, "$column emptied");
	like(tampered("UPDATE appflow.secret SET $column = substr($column, 1, length($column) - 1) WHERE name = 'lake'"), $wrong, "$column cut");
	like(tampered("UPDATE appflow.secret SET $column = $column || '\\x00' WHERE name = 'lake'"), $wrong, "$column lengthened");
	like(tampered("UPDATE appflow.secret SET $column = decode(repeat('00', 10000), 'hex') WHERE name = 'lake'"), $wrong, "$column of zeros");
	like(tampered("UPDATE appflow.secret l SET $column = o.$column FROM appflow.secret o WHERE l.name = 'lake' AND o.name = 'other'"), $wrong, "another's $column");
}
like(tampered("DELETE FROM appflow.secret WHERE name = 'lake'; UPDATE appflow.secret SET name = 'lake' WHERE name = 'other'"), $wrong, 'another\'s row');
like(tampered("UPDATE appflow.secret SET key_id = 'nobody' WHERE name = 'lake'"),
	qr/^55000: .*master key "nobody" is not known/, 'the id of a key that is not known');
like(tampered("UPDATE appflow.secret SET purpose = 'profile' WHERE name = 'lake'"),
	qr/^WF401: credentials of object store "lake" are missing/, 'the row under another purpose is not this one');
like(tampered("DELETE FROM appflow.secret"), qr/^WF401: credentials of object store "lake" are missing/, 'no row, no credentials');
like(error_of("BEGIN; UPDATE appflow.secret SET sealed_text = '' WHERE name = 'lake'; SELECT appflow.rewrap_secrets(); $open; ROLLBACK"), $wrong, 'rewrapping does not mend');
is(value($open), '', 'none of it stayed');

# ---------- rotation ----------

my $old_ids = value('SELECT DISTINCT key_id FROM appflow.secrets');
my $texts = value('SELECT md5(string_agg(sealed_text::text, name ORDER BY name)) FROM appflow.secret');
is(value('SELECT appflow.rewrap_secrets()'), '0', 'nothing to rewrap');
is(value('SELECT appflow.rotate_master_key()'), '2', 'both are put under a new key');
my $new_id = value('SELECT DISTINCT key_id FROM appflow.secrets');
isnt($new_id, $old_ids, 'that has another id');
is(value('SELECT md5(string_agg(sealed_text::text, name ORDER BY name)) FROM appflow.secret'), $texts, 'the texts stay as they are');
like(slurp_file("$place/appflow.key"), qr/^$new_id:[0-9a-f]{64}\n\Q$before\E\z/, 'the file has the new key before the old one');
is($mode->("$place/appflow.key"), '0600', 'and is its owner\'s');
is(value($open), '', 'opens');
is(value('SELECT appflow.rewrap_secrets()'), '0', 'nothing is left to rewrap');
my ($new_line) = split /\n/, slurp_file("$place/appflow.key");
key_file('appflow.key', "$new_line\n");
is(value($open), '', 'the old key may go');

# a session that has keys at hand sees a file that was changed
key_file('appflow.key', "third:" . ('cd34' x 16) . "\n$new_line\n");
my $twice = value(qq{
	$open;
	SELECT key_id FROM appflow.secrets WHERE name = 'lake';
	\\! (echo 'fourth:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'; cat $place/appflow.key) > $place/appflow.key.edit; chmod 600 $place/appflow.key.edit; mv $place/appflow.key.edit $place/appflow.key
	$open;
	SELECT key_id FROM appflow.secrets WHERE name = 'lake'});
is($twice, "\nthird\n\nfourth", 'a session takes notice of a new key');
like(error_of("\\! echo garbage > $place/appflow.key\n$open"), qr/^F0000: /, 'and of a broken file');
key_file('appflow.key', "fourth:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n$new_line\n");
is(value('SELECT appflow.rewrap_secrets()'), '1', 'what an older key sealed is rewrapped');

like(error_of('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT appflow.rewrap_secrets()'), qr/^0A000: /, 'not under a snapshot that could be too old');

# writers and rewrapping keep each other out; readers do not wait
my ($in, $out) = ("BEGIN;\n$open;\n\\echo sealed\n", '');
my $writer = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out);
$writer->pump until $out =~ /sealed/;
like(error_of("SET lock_timeout = '300ms'; SELECT appflow.rewrap_secrets()"), qr/^55P03: /, 'rewrapping waits for who is sealing');
like(error_of("SET lock_timeout = '300ms'; SELECT * FROM appflow.list_objects('other')"), qr/^WF502: |^WF400: /, 'opening waits for nobody');
$in .= "COMMIT;\nBEGIN;\nSELECT appflow.rewrap_secrets();\n\\echo rewrapped\n";
$writer->pump until $out =~ /rewrapped/;
like(error_of("SET lock_timeout = '300ms'; $open"), qr/^55P03: /, 'sealing waits for rewrapping');
$in .= "COMMIT;\n\\q\n";
$writer->finish;

# a failure in between leaves the file usable
append_to_file("$place/appflow.key.new", 'left by a crash');
like(error_of('SELECT appflow.rotate_master_key()'), qr/could not create file ".*appflow\.key\.new": File exists/, 'one at a time');
is(value($open), '', 'and nothing is lost');
unlink "$place/appflow.key.new";
is(value('BEGIN; SELECT appflow.rotate_master_key(); ROLLBACK; ' . $open), "2\n", 'rolled back, the old key still opens');
is(value('SELECT appflow.rewrap_secrets()'), '1', 'and the rest follows');
set_key('file:' . key_file('raw.key', $raw));
value("SELECT appflow.drop_object_store('lake'), appflow.drop_object_store('other')");
is(value('SELECT count(*) FROM appflow.secrets'), '0', 'dropped with their stores, whatever key they had');
value($create);
is(value('SELECT appflow.rotate_master_key()'), '1', 'a file of bytes can be added to');
like(slurp_file("$place/raw.key"), qr/^[0-9a-f]{16}:[0-9a-f]{64}\n$id:$hex\n\z/, 'and then has lines');
is(value($open), '', 'and opens');
is(value('SELECT count(*) FROM appflow.secrets WHERE key_id = \'' . $id . "'"), '0', 'by the new key');

# ---------- commands ----------

set_key("command:cat '$place/raw.key'");
is(value($open), '', 'keys that a command gives');
like(error_of('SELECT appflow.rotate_master_key()'), qr/^0A000: a new master key can be added to a file only/, 'a command cannot be added to');
set_key("command:echo run >> '$place/runs'; cat '$place/raw.key'");
unlink "$place/runs";
value('TABLE appflow.object_stores; TABLE appflow.secrets');
ok(!-e "$place/runs", 'not run without need');
set_key("command:ls /proc/self/fd > '$place/fds'; cat '$place/raw.key'");
value($open);
(my $fds = slurp_file("$place/fds")) =~ s/\s+/ /g;
like($fds, qr/^0 1 2 \d $/, 'a command has none of the server\'s files');
set_key("command:echo planted-output; exit 3");
like(error_of($open), qr/^F0000: the command of appflow.master_key failed: child process exited with exit code 3/, 'a command that fails');
set_key('command:echo planted-output');
like(all_of_error($open), qr/Line 1: a key is 32 bytes/, 'a command that gives no keys');
unlike(all_of_error($open), qr/planted/, 'what it gave is not said');
set_key('command:yes');
like(error_of($open), qr/^F0000: the command of appflow.master_key wrote \d+ bytes or more/, 'a command that does not end to write');
set_key("command:echo \$\$ > '$place/pid'; sleep 600");
sub group_is_gone
{
	chomp(my $pid = slurp_file("$place/pid"));
	my @left;
	for (1 .. 50)
	{
		# what has ended and waits for init to notice has ended
		@left = grep { /\) [^Z] \d+ $pid / } map { -r $_ ? eval { slurp_file($_) } // '' : '' } glob '/proc/[0-9]*/stat';
		return 1 if !@left;
		sleep 0.02;
	}
	diag(@left);
	return 0;
}
my $began = time;
like(error_of("SET statement_timeout = '500ms'; $open"), qr/^57014: /, 'a command that hangs is cancelled');
cmp_ok(time - $began, '<', 3, 'at once');
ok(group_is_gone(), 'and all of it ended');
value("ALTER SYSTEM SET appflow.master_key_timeout = '300ms'; SELECT pg_reload_conf()");
$node->poll_query_until('postgres', "SELECT current_setting('appflow.master_key_timeout') = '300ms'");
$began = time;
like(error_of($open), qr/^F0000: the command of appflow.master_key took longer than 300 ms/, 'or ends of itself');
cmp_ok(time - $began, '<', 3, 'when it is time');
ok(group_is_gone(), 'and all of it');
set_key("command:cat '$place/raw.key'; exec >&-; sleep 600");
like(error_of($open), qr/^F0000: .*took longer than/, 'also when it has given its output');

# ---------- files with secrets ----------

is(value("SELECT appflow.read_secret_file('" . key_file('secret', "planted-secret-3\n") . "')"), 'planted-secret-3', 'a secret from a file, without the end of its line');
is(value("SELECT length(appflow.read_secret_file('" . key_file('secret', "two\nlines\n\n") . "'))"), '10', 'but no more than that');
like(error_of("SELECT appflow.read_secret_file('" . key_file('secret', "x", 0644) . "')"), qr/must be readable by the database server's user and nobody else/, 'that is for nobody else');
like(error_of("SELECT appflow.read_secret_file('" . key_file('secret', "planted\xff") . "')"), qr/^22021: secret file ".*" is not text in the database's encoding$/, 'that is text');
like(error_of("SELECT appflow.read_secret_file('" . key_file('secret', "planted\0x") . "')"), qr/^22021: /, 'without zeros');
like(error_of("SELECT appflow.read_secret_file('" . key_file('secret', "x" x 70_000) . "')"), qr/File too large/, 'that is not too large');
like(error_of("SELECT appflow.read_secret_file('secret')"), qr/^WF400: .*absolute/, 'by its whole path');

# ---------- and no trace ----------

my $log = slurp_file($node->logfile);
unlike($log, qr/$hex|ab12ab12|cd34cd34|00112233445566778899aabb/, 'no key is in the log');
unlike($log, qr/TRAP|PANIC|terminated by signal/, 'the server is well');
$node->stop;
done_testing();
