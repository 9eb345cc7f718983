# Manifests: what applications send wrongly, what manifests say wrongly, and what nobody
# may do.  Every message is read.

use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $rest = AppflowTest::Rest->new('badinput');
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my @fields = ({ name => 'id', type => 'Long', key => $true }, { name => 'title' });

sub entity
{
	my ($name, %read) = @_;
	return { name => $name, fields => \@fields, read => { path => "/$name/books", records => 'books', %read } };
}
my @cursor = (parameters => { cursor => '{cursor}', limit => '10' }, paging => { kind => 'cursor', next => 'meta.next', size => 10 });
my @ok = (parameters => { cursor => '{cursor}' }, paging => { kind => 'cursor', next => 'next' });

$rest->register('bad', 'basic', entities => [
	(map { entity($_) } qw(html cut short overflow utf8 twice none null moody nowhere)),
	entity('cursor', @cursor),
	entity('link', parameters => { size => '10' }, paging => { kind => 'link', next => 'next', size => 10 }) ]);
$rest->register('ok', 'bearer', entities => [ entity('ok', @ok) ],
	errors => { code => 'error', message => 'detail', failed => { path => 'ok', equals => ['false'] }, expired => ['token_expired'], throttled => ['ratelimited'],
		exceptions => [ { code => ['missing_scope'], exception => 'ConnectorAuthenticationException', hint => 'Add the scope.' },
			{ code => ['no_such_channel'], exception => 'ResourceNotFoundException' } ] });
$rest->register('limited', 'open', entities => [ entity('ratelimit') ], rateLimit => { remaining => 'X-Left', reset => 'X-Reset' });
$rest->sql('CREATE TABLE book (id bigint, title text)');

# how a flow ends, without its name and execution
sub ends
{
	my ($profile, $entity) = @_;
	$rest->sql('TRUNCATE book');
	my $ended = $rest->move($profile, $entity, into => 'public.book', map => [ ['id'], ['title'] ]);
	$ended =~ s/run of flow "\S+" ended as Error: //;
	$ended =~ s/\s*Execution [-0-9a-f]+\.//;
	return $ended;
}
my $url = $rest->{url};

# ---------- answers that are none ----------

is(ends('bad', 'html'), "WF502: the answer of bad about entity \"html\" is not JSON: <!DOCTYPE html><html><body>Sign in</body></html>\nDETAIL:  ConnectorServerException:", 'HTML');
like(ends('bad', 'short'), qr/^WF502: page 1 of entity "short" from bad is malformed: line 1, column \d+: /, 'half a page');
like(ends('bad', 'cut'), qr/^WF502: .*(broke|cut|closed|ended)/, 'a connection that breaks');
like(ends('bad', 'utf8'), qr/^WF502: page 1 of entity "utf8" from bad is malformed: line 1, column \d+: .*UTF-8/, 'bytes that are no UTF-8');
like(ends('bad', 'twice'), qr/^WF502: page 1 of entity "twice" from bad is malformed: .*twice|duplicate/, 'a member that is there twice');
is(ends('bad', 'none'), "WF502: the answer of bad about entity \"none\" has no records: there is no member \"books\"\nDETAIL:  ConnectorServerException:", 'no records where they should be');
is(ends('bad', 'null'), 'Successful 0 0', 'null is no records');
is($rest->sql('SELECT count(*) FROM book'), '0', 'nothing of all that is in the table');
is(ends('bad', 'overflow'), 'Successful 3 1', 'a number that does not fit fails its record');
is($rest->sql("SELECT string_agg(id::text, ' ') FROM book"), '1 3', 'and no other');

# ---------- failures with a status ----------

is(ends('bad', 'nowhere'), "WF502: bad refused entity \"nowhere\": no_route: nowhere/books\nDETAIL:  ConnectorServerException:", 'a path that is none');
foreach ([ 403, 'WF401', 'ConnectorAuthenticationException' ], [ 418, 'WF502', 'ConnectorServerException' ], [ 400, 'WF502', 'ConnectorServerException' ])
{
	my ($status, $state, $exception) = @$_;
	$rest->control("set?status=$status");
	like(ends('bad', 'moody'), qr/^$state: bad refused entity "moody": moody: not today\nDETAIL:  $exception:/, "status $status");
}
$rest->control('set?status=409&text=plain%20words');
is(ends('bad', 'moody'), "WF502: bad refused entity \"moody\": plain words\nDETAIL:  ConnectorServerException:", 'words that are no JSON');
$rest->control('reset');
like($rest->error_of($rest->profile_sql('stranger', 'bad', 'key')), qr/^WF400: .*connector "bad" does not support the authenticationType APIKEY/,
	'credentials of a kind that the manifest does not take');
(my $wrong = $rest->profile_sql('wrong', 'bad', 'basic')) =~ s/planted-password/planted-wrong/;
$rest->sql($wrong);
like(ends('wrong', 'none'), qr/^WF401: wrong|^WF401: bad refused entity "none": unauthorized: who are you\?\nDETAIL:  ConnectorAuthenticationException:/, 'a wrong password');
unlike(ends('wrong', 'none'), qr/planted/, 'which is not in the message');
$rest->sql($rest->profile_sql('away', 'bad', 'basic', instanceUrl => 'http://127.0.0.1:9'));
like(ends('away', 'none'), qr/^WF502: .*127\.0\.0\.1:9/, 'a wrong URL');

# ---------- pages that lead astray ----------

$rest->control('set?loop=1');
like(ends('bad', 'cursor'), qr/^WF502: bad sent the same mark of the next page of entity "cursor" twice: "ZnJvbTow"/, 'a cursor that leads in a circle');
is($rest->sql('SELECT count(*) FROM book'), '0', 'leaves nothing');
$rest->control('reset');
$rest->control("set?elsewhere=http://127.0.0.2:9");
like(ends('bad', 'link'), qr/^WF502: bad sent a link to another host/, 'a link to another host');
$rest->control('reset');

# ---------- failures with status 200 ----------

is(ends('ok', 'ok'), 'Successful 57 0', 'ok');
$rest->control('reset');
$rest->control('set?expireok=1');
is(ends('ok', 'ok'), 'Successful 57 0', 'a code that says that the token has expired');
is(scalar $rest->seen(qr{^/token}), 1, 'gets a new one');
$rest->control('set?busyok=2');
is(ends('ok', 'ok'), 'Successful 57 0', 'a code that says that it was too early');
$rest->control('set?expireok=2');
like(ends('ok', 'ok'), qr/^WF401: ok refused entity "ok": token_expired/, 'expired again: the credentials are no good');
$rest->control('reset');
$rest->control('set?deny=missing_scope');
like(ends('ok', 'ok'), qr/^WF401: ok refused entity "ok": missing_scope: the scope books:read is missing/, 'a code with an exception of its own');
$rest->control('set?deny=no_such_channel');
like(ends('ok', 'ok'), qr/^WF404: ok refused entity "ok": no_such_channel: /, 'and another one');
$rest->control('set?deny=fatal');
like(ends('ok', 'ok'), qr/^WF502: ok refused entity "ok": fatal: /, 'and one without');
$rest->control('reset');

# ---------- the application's own rate limit ----------

$rest->control('set?left=0&reset=1');
is(ends('limited', 'ratelimit'), 'Successful 2 0', 'the last call of a period');
$rest->control('set?left=5');
is(ends('limited', 'ratelimit'), 'Successful 2 0', 'and the first of the next one, after a pause');
$rest->control('reset');

# ---------- manifests that are none ----------

my %good = %{ $rest->manifest('basic', entities => [ entity('cursor', @cursor) ]) };
my $labels = 0;
sub refused
{
	my ($change, $message, $name) = @_;
	my $manifest = decode_json(encode_json(\%good));
	$change->($manifest);
	my $error = $rest->error_of($rest->register_sql('wrong' . ++$labels, $manifest));
	is($error =~ s/\nDETAIL.*//sr, "WF400: connectorProvisioningConfig.manifest is not valid: $message", $name);
}
my $e = sub { $_[0]{entities}[0] };
refused(sub { delete $_[0]{manifest} }, 'the key "manifest" is missing', 'no version');
refused(sub { $_[0]{manifest} = 2 }, 'manifest: 2 is not a whole number from 1 to 1', 'another version');
refused(sub { $_[0]{entites} = [] }, 'unknown key "entites"; the nearest is "entities"', 'an unknown key');
refused(sub { $_[0]{entities} = {} }, 'entities: this must be an array, not an object', 'another type');
refused(sub { $_[0]{entities} = [] }, 'entities: there is none', 'no entities');
refused(sub { $_[0]{connector} = 'Slack' }, 'connector: a registered connector has its connectorLabel instead', 'the name of a built-in connector');
refused(sub { delete $_[0]{authentication} }, 'the key "authentication" is missing', 'no authentication');
refused(sub { $_[0]{authentication} = {} }, 'authentication: it names no way to authenticate', 'no way to authenticate');
refused(sub { $_[0]{baseUrl} = 'ftp://example.com' }, 'baseUrl: it must begin with https:// or http://', 'another kind of URL');
refused(sub { $e->(@_)->{fields}[1]{type} = 'Text' }, 'entities[0].fields[1].type: unknown type "Text"; there are: String, Boolean, Short, Integer, Long, Float, Double, BigInteger, BigDecimal, Date, DateTime, Timestamp, Time, Uuid, ByteArray, Struct, Map, List', 'an unknown type');
refused(sub { $e->(@_)->{fields}[1]{name} = 'id' }, 'entities[0].fields[1]: the field "id" is there twice', 'a field twice');
refused(sub { $e->(@_)->{fields}[1]{path} = 'a[b].c' }, 'entities[0].fields[1]: "a[b].c" is not a path; an element of an array is named list[key=value]', 'no path');
refused(sub { $e->(@_)->{fields}[1]{format} = 'epoch' }, 'entities[0].fields[1]: only the types Date, DateTime and Timestamp have formats', 'a format of text');
refused(sub { delete $e->(@_)->{fields} }, 'entities[0]: nothing tells the entity\'s fields: neither "fields" nor "describe" nor "sample"', 'no fields');
refused(sub { $e->(@_)->{name} = 'a/*/b' }, 'entities[0].name: a star is a whole piece of a name, the last', 'a star in the middle');
refused(sub { $e->(@_)->{read}{path} = 'books' }, 'entities[0].read: path must begin with "/": it follows the base URL', 'a path without a slash');
refused(sub { $e->(@_)->{read}{paging}{kind} = 'cursors' }, 'entities[0].read.paging.kind: unknown kind "cursors"; the nearest is "cursor"', 'a kind of paging');
refused(sub { delete $e->(@_)->{read}{paging}{next} }, 'entities[0].read.paging: paging of this kind needs the key "next"', 'a cursor from nowhere');
refused(sub { delete $e->(@_)->{read}{parameters}{cursor} }, 'entities[0].read.paging: paging of this kind needs {cursor} in the call, or every page would be the first', 'a cursor to nowhere');
refused(sub { $e->(@_)->{read}{parameters}{x} = '{coursor}' }, 'entities[0].read.parameters.x: there is no value {coursor} here; the nearest is {cursor}', 'a value that is none');
refused(sub { $e->(@_)->{read}{parameters}{x} = '{value}' }, 'entities[0].read.parameters.x: there is no value {value} here', 'a value of another place');
refused(sub { $e->(@_)->{read}{parameters}{x} = '{cursor' }, 'entities[0].read.parameters.x: a brace is not closed; "{{" means a brace', 'an open brace');
refused(sub { $e->(@_)->{read}{filters} = [ { operators => ['EQUAL_TO'], term => '{field}={value}' } ] },
	'entities[0].read.filters[0]: a term goes into {query} or {filter}, but no parameter of the call has one', 'a term to nowhere');
refused(sub { $e->(@_)->{read}{filters} = [ { operators => ['EQUALS'], term => 'x' } ] },
	'entities[0].read.filters[0].operators: unknown name "EQUALS"; there are: LESS_THAN, GREATER_THAN, CONTAINS, BETWEEN, LESS_THAN_OR_EQUAL_TO, GREATER_THAN_OR_EQUAL_TO, EQUAL_TO, NOT_EQUAL_TO, STARTS_WITH, IS_NULL, IS_NOT_NULL', 'an operator');
refused(sub { $e->(@_)->{read}{when} = 'filtered' }, 'entities[0].read.when: the last way to read must be one that always fits', 'no way to read');
refused(sub { $e->(@_)->{write} = { CREATE => { path => '/x' } } },
	'entities[0].write.CREATE: unknown write operation "CREATE"; there are: INSERT, UPSERT, UPDATE, DELETE', 'a write operation');
refused(sub { $e->(@_)->{write} = { UPDATE => { path => '/x/{id}' } } }, 'entities[0].write.UPDATE: the key "method" is missing', 'an update without a method');
refused(sub { $e->(@_)->{write} = { UPDATE => { method => 'PUT', path => '/x/{id}', batch => 5 } } },
	'entities[0].write.UPDATE: {id} and {record} are of one record, but "batch" is 5: use {ids} and {records}', 'an id of many');
refused(sub { $e->(@_)->{write} = { DELETE => { method => 'DELETE', path => '/x' } } },
	'entities[0].write.DELETE: the call does not say what to delete: it has neither {id} nor {ids} nor a body', 'a deletion of everything');
refused(sub { $_[0]{formats} = { String => 'epoch' } }, 'formats.String: only the types Date, DateTime and Timestamp have formats', 'a format of text');
refused(sub { $_[0]{errors}{exceptions} = [ { exception => 'Oops' } ] },
	'errors.exceptions[0].exception: unknown exception "Oops"; there are: ValidationException, ConnectorAuthenticationException, AccessDeniedException, ResourceNotFoundException, ThrottlingException, ConnectorServerException',
	'an exception');
like($rest->error_of(q{SELECT appflow.register_connector('{"connectorLabel": "five", "connectorProvisioningConfig": {"manifest": 5}}')}),
	qr/Member must be an object/, 'a number for a manifest');
like($rest->error_of(q{SELECT appflow.register_connector('{"connectorLabel": "two", "connectorProvisioningConfig": {"manifest": {}, "lambda": {"lambdaArn": "arn:aws:lambda:us-east-1:1:function:x"}}}')}),
	qr/^WF400: connectorProvisioningConfig has both lambda and manifest/, 'two provisions');

# ---------- settings of profiles ----------

my $settings = decode_json(encode_json(\%good));
$settings->{settings} = [ { key => 'region', required => $true, values => [ 'eu', 'us' ] }, { key => 'version', default => '1' } ];
$settings->{baseUrl} = "$url/{property.region}";
$rest->sql($rest->register_sql('regions', $settings));
like($rest->error_of($rest->profile_sql('p', 'regions', 'basic')), qr/^WF400: .*profileProperties\.region is missing, connector "regions" requires it/, 'a property that is missing');
like($rest->error_of($rest->profile_sql('p', 'regions', 'basic', region => 'xx')), qr/^WF400: .*profileProperties\.region cannot be "xx", connector "regions" has other values for it, such as "eu"/, 'one that is wrong');
$rest->sql($rest->profile_sql('p', 'regions', 'basic', region => 'eu', instanceUrl => undef));
ends('p', 'cursor');
my @asked = map { $_->{url} } $rest->seen(qr{^/eu/});
is($asked[0], '/eu/basic/cursor/books?limit=10', 'a URL of properties');

# ---------- the policy for endpoints, and rights ----------

$rest->sql("ALTER SYSTEM SET appflow.allow_local_endpoints = off; SELECT pg_reload_conf()");
like(ends('bad', 'null'), qr/^WF\d+: .*(not allowed|policy|local)/, 'a local address is not asked unless it may be');
$rest->sql("ALTER SYSTEM SET appflow.allow_local_endpoints = on; SELECT pg_reload_conf()");
$rest->sql('CREATE ROLE clerk LOGIN; GRANT EXECUTE ON FUNCTION appflow.create_connector_profile(jsonb) TO clerk');
my (undef, undef, $stderr) = $rest->{node}->psql('postgres', $rest->register_sql('clerks', \%good), extra_params => [ '-U', 'clerk' ]);
like($stderr, qr/permission denied for function register_connector/, 'registering is a privilege');
(undef, undef, $stderr) = $rest->{node}->psql('postgres', $rest->profile_sql('clerks', 'bad', 'basic'), extra_params => [ '-U', 'clerk' ]);
like($stderr, qr/Connector with label bad does not exist/, 'the connectors of others do not exist');

# ---------- a manifest that is replaced ----------

my $other = decode_json(encode_json(\%good));
push @{ $other->{entities} }, entity('null');
$rest->sql($rest->register_sql('changing', \%good));
$rest->sql($rest->profile_sql('changing', 'changing', 'basic'));
like(ends('changing', 'null'), qr/has no entity "null"/, 'an entity that is not there yet');
$rest->sql('SELECT appflow.update_connector_registration(' . "\$q\$" . encode_json({ connectorLabel => 'changing', connectorProvisioningConfig => { manifest => $other } }) . "\$q\$)");
is(ends('changing', 'null'), 'Successful 0 0', 'is with another manifest');
like($rest->error_of(q{SELECT appflow.unregister_connector('{"connectorLabel": "changing"}')}), qr/is associated with one or more connector profiles/, 'a connector that is used stays');
$rest->sql(q{SELECT appflow.unregister_connector('{"connectorLabel": "changing", "forceDelete": true}')});

done_testing();
