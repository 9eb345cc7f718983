# Manifests: foreign tables that are written: rows inserted, updated and deleted at the
# application, singly and in batches, and what it refuses.

use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use Test::More;

my $rest = AppflowTest::Rest->new('modify');
my $true = JSON::PP::true;
my @all = qw(INSERT UPSERT UPDATE);
my @fields = ({ name => 'id', key => $true, sortable => $true, write => \@all }, { name => 'name', write => \@all }, { name => 'size', type => 'Integer', write => \@all },
	{ name => 'made', type => 'DateTime', format => 'epoch', write => \@all }, { name => 'owner', path => 'owner.name', write => \@all });
my %read = (read => { path => '/list/things', parameters => {}, records => 'things', filters => [ { operators => ['EQUAL_TO'], fields => ['id'], parameters => { id => '{value}' }, exact => $true } ] });
my %results = (records => 'results', index => 'index', failed => { path => 'ok', equals => ['false'] }, code => 'error', message => 'text', id => 'id');
sub many { my ($operation) = @_; return { method => 'POST', path => "/many/$operation", batch => 3, body => { things => '{records}' }, results => \%results }; }
$rest->register('things', 'basic', entities => [
	{ name => 'single', fields => \@fields, %read, write => {
		INSERT => { path => '/things', body => { thing => '{record}' }, results => { id => 'thing.id' } },
		UPDATE => { method => 'PATCH', path => '/things/{id}', ids => 'path' },
		DELETE => { method => 'DELETE', path => '/things/{id}', ids => 'path' } } },
	{ name => 'many', fields => \@fields, %read, write => { INSERT => many('insert'), UPDATE => many('update'), DELETE => { %{ many('delete') }, fields => 'ids' } } } ]);
$rest->sql(q{CREATE SERVER things FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'things');
	CREATE SCHEMA there; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER things INTO there});

sub there { return join ' ', map { "$_->{id}=$_->{name}" . (defined $_->{size} ? "/$_->{size}" : '') } sort { $a->{id} cmp $b->{id} } @{ $rest->control('things') }; }
foreach my $table (qw(single many))
{
	$rest->control('reset');
	$rest->sql("INSERT INTO there.$table (id, name, size, made, owner) SELECT 't' || i, 'thing ' || i, i, '2026-01-01 00:00:00Z', 'me' FROM generate_series(1, 5) i");
	is(there(), join(' ', map { "t$_=thing $_/$_" } 1 .. 5), "$table: rows inserted");
	is($rest->sql("SELECT id, made, owner FROM there.$table WHERE id = 't2'"), 't2|2026-01-01 00:00:00+00|me', "$table: read back");
	$rest->sql("UPDATE there.$table SET size = size * 10 WHERE size > 3");
	is(there(), 't1=thing 1/1 t2=thing 2/2 t3=thing 3/3 t4=thing 4/40 t5=thing 5/50', "$table: rows updated");
	$rest->sql("DELETE FROM there.$table WHERE id IN ('t1', 't5')");
	is(there(), 't2=thing 2/2 t3=thing 3/3 t4=thing 4/40', "$table: rows deleted");
	like($rest->error_of("INSERT INTO there.$table (id, name) VALUES ('t9', 'bad')"), qr/that name is not allowed/, "$table: what the application refuses");
	like($rest->error_of("INSERT INTO there.$table (id, name) VALUES ('t2', 'again')"), qr/thing t2 is there already/, "$table: what is there already");
	is(there(), 't2=thing 2/2 t3=thing 3/3 t4=thing 4/40', "$table: nothing of that is there");
}

# an id that the application makes
$rest->control('reset');
is($rest->sql("INSERT INTO there.single (name) VALUES ('x') RETURNING id, name"), 'new-1|x', 'single: RETURNING');
is($rest->sql("INSERT INTO there.many (name) VALUES ('y'), ('z') RETURNING id"), "new-2\nnew-3", 'many: RETURNING');
is(there(), 'new-1=x new-2=y new-3=z', 'and they are there');

done_testing();
