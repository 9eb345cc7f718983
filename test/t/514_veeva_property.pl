# Veeva Vault: random conditions give what they give on a copy, whoever evaluates them.
use strict;
use utf8;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{APPFLOW_SEED} // time;
srand $seed;
note "APPFLOW_SEED=$seed";

my $app = AppflowTest::RestApps->new('veeva', 'Veeva', 'Veeva', q(appflow.max_retry_delay = '100ms'));
$app->profile('vault', { username => 'me', password => 'planted-veeva' });

sub one { return $_[ int rand @_ ]; }
sub text { my ($bytes) = @_; utf8::decode($bytes); return $bytes; }

# ---------------------------------------------------------------- what is there

my @pieces = ("'", "''", '\\', '\\\\', "\\'", '"', '%', '_', '*', '${Core.user_id}', '${x}', "\n", "\t", "\r", ' ', 'ä', 'ß', '日本', "\x{1F600}", 'é', "e\x{301}", 'a', 'A', 'b', 'null', 'true', '(', ')', ',', '--', '12021', '$1', "\x{7f}");
sub words { return join '', map { one(@pieces) } 1 .. 1 + int rand 3; }
my @texts = map { words() } 1 .. 40;
sub number { return one(undef, int(rand 20) - 10, 0, 999999999999, one(-1, 1) * int(rand 1000)); }
sub fraction { my $n = one(undef, 0, rand(10) - 5, 1234567.5, int rand 10); return defined $n ? sprintf '%.2f', $n : undef; }
sub day { return one(undef, sprintf '2024-%02d-%02d', 1 + int rand 12, 1 + int rand 28); }
sub moment { return sprintf '2024-01-%02dT%02d:00:%02d.%03dZ', 1 + int rand 3, int rand 3, int rand 3, one(0, 1, 500, 999); }
my @areas = ("onco'logy__c", 'cardio\\logy__c', 'ímmun__c', 'a b', '12');
my @rows = map { {
	id => sprintf('V%05d', $_), name__v => one(@texts), external_id__v => one(undef, one(@texts)), units__c => number(), rating__c => fraction(), price__c => fraction(), launch_date__c => day(),
	approved__c => one(undef, JSON::PP::true, JSON::PP::false), modified_date__v => one(undef, moment()), areas__c => [ grep { rand() < 0.3 } @areas ], status__v => one(undef, one(@areas)) } } 1 .. 400;
$app->control('seed', { product__v => \@rows });
$app->sql(q(CREATE SERVER vault FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'vault'); CREATE SCHEMA vault; IMPORT FOREIGN SCHEMA "Objects" LIMIT TO (product__v) FROM SERVER vault INTO vault;
	CREATE TABLE copy AS SELECT * FROM vault.product__v));
is($app->sql('SELECT count(*) FROM copy'), 400, 'a copy');
my $same = 0;
my %copied = map { my $row = JSON::PP->new->utf8->decode($_); ($row->{id} => $row) } split /\n/, $app->sql(q(SELECT json_build_object('id', id, 'name__v', name__v, 'external_id__v', external_id__v) FROM copy));
$same += $copied{ $_->{id} }{name__v} eq $_->{name__v} && ($copied{ $_->{id} }{external_id__v} // 'none') eq ($_->{external_id__v} // 'none') foreach @rows;
is($same, 400, '... with the texts as they are');

# ---------------------------------------------------------------- foreign tables

sub literal { my ($value) = @_; return "'" . ($value =~ s/'/''/gr) . "'"; }
sub like_pattern { my ($value) = @_; return literal($value =~ s/([\\%_])/\\$1/gr); }

my %makers = (
	name__v => sub { one(one(@texts), words(), substr(one(@texts), 0, 1)) }, external_id__v => sub { one(one(@texts), words()) }, id => sub { one(sprintf('V%05d', 1 + int rand 400), 'V1', 'x y', "V'") },
	units__c => sub { number() // 3 }, rating__c => sub { one(fraction() // 1, '1.005', '-0.0', '12345678901234567890') }, price__c => sub { fraction() // 2 }, launch_date__c => sub { day() // '2024-05-05' },
	modified_date__v => sub { one(moment(), '2024-01-02T01:00:01.0005Z', '2024-01-02T01:00:01.9999Z', '1500-01-01T00:00:00Z', '2024-01-02T01:00:01.500+01:00') });
my %casts = (units__c => '', rating__c => '', price__c => '', launch_date__c => '::date', modified_date__v => '::timestamptz');

sub leaf
{
	my $field = one('approved__c', keys %makers);
	return one('approved__c', 'NOT approved__c', 'approved__c IS NULL', 'approved__c IS NOT TRUE', 'approved__c = false', 'approved__c <> true') if $field eq 'approved__c';
	my $make = sub { my $value = $makers{$field}->(); return defined $casts{$field} ? (($casts{$field} eq '' ? $value : literal($value)) . $casts{$field}) : literal($value) };
	my @forms = (
		sub { "$field " . one('=', '<>', '<', '>', '<=', '>=') . ' ' . $make->() }, sub { "$field " . one('', 'NOT ') . 'IN (' . join(', ', map { $make->() } 1 .. 1 + int rand 4) . ')' },
		sub { "$field " . one('', 'NOT ') . 'BETWEEN ' . $make->() . ' AND ' . $make->() }, sub { "$field IS " . one('', 'NOT ') . 'NULL' }, sub { "$field IS DISTINCT FROM " . $make->() });
	push @forms, sub { "$field " . one('LIKE', 'NOT LIKE') . ' ' . (like_pattern($makers{$field}->()) =~ s/'$/%'/r) }, sub { "$field LIKE " . (like_pattern($makers{$field}->()) =~ s/^'(.*)'$/'%$1%'/sr) }, sub { "starts_with($field, " . $make->() . ')' } if !defined $casts{$field};
	return one(@forms)->();
}
sub condition
{
	my ($depth) = @_;
	return leaf() if $depth == 0 || rand() < 0.4;
	return '(' . join(one(' AND ', ' OR '), map { condition($depth - 1) } 1 .. 2) . ')' if rand() < 0.85;
	return 'NOT (' . condition($depth - 1) . ')';
}

my ($queries, $pushed, @wrong) = (300, 0);
my $script = '';
my @conditions = map { condition(3) } 1 .. $queries;
foreach my $condition (@conditions)
{
	$script .= "SELECT count(*) || ' ' || md5(string_agg(id, ' ' ORDER BY id)) FROM $_ WHERE $condition;\n" foreach 'vault.product__v', 'copy';
}
utf8::encode($script);
$app->control('reset');
my @answers = split /\n/, $app->sql($script =~ s/md5\(string_agg\(id, ' ' ORDER BY id\)\)/coalesce(md5(string_agg(id, ' ' ORDER BY id)), 'none')/gr);
for my $i (0 .. $queries - 1)
{
	push @wrong, "$conditions[$i]: $answers[ 2 * $i ] is not $answers[ 2 * $i + 1 ]" if ($answers[ 2 * $i ] // 'nothing') ne ($answers[ 2 * $i + 1 ] // 'missing');
}
is(scalar @answers, 2 * $queries, "$queries random conditions");
is(join("\n", @wrong), '', '... give what they give on a copy');
$pushed = grep { $_->{body} =~ /WHERE/ } $app->seen(qr{/query$});
cmp_ok($pushed, '>', $queries / 2, "... most are asked for ($pushed)");
cmp_ok(scalar(grep { /^[1-9]/ } @answers), '>', $queries / 3, '... many have results');

# order and limit
foreach my $n (1 .. 20)
{
	my $order = join ', ', map { one('units__c', 'rating__c', 'modified_date__v', 'launch_date__c') . one('', ' DESC') . one('', ' NULLS FIRST', ' NULLS LAST') } 1 .. 2;
	my $rest = 'WHERE ' . leaf() . " ORDER BY $order, id LIMIT " . one(1, 7, 100) . one('', ' OFFSET 3');
	utf8::encode($rest);
	is($app->sql("SELECT coalesce(string_agg(id, ' '), 'none') FROM (SELECT id FROM vault.product__v $rest) x"), $app->sql("SELECT coalesce(string_agg(id, ' '), 'none') FROM (SELECT id FROM copy $rest) x"), "order and limit $n") or diag($rest);
}

# ---------------------------------------------------------------- flows

# what a condition of a flow means
my %types = (name__v => 'string', external_id__v => 'string', units__c => 'long', rating__c => 'double', modified_date__v => 'datetime', launch_date__c => 'date', areas__c => 'Picklist', status__v => 'string');
sub value_of
{
	my ($field, $value) = @_;
	return undef if !defined $value;
	return $value =~ s/[-:TZ]//gr + 0 if $field eq 'launch_date__c';
	return $value =~ s/[-:TZ]//gr if $field eq 'modified_date__v';
	return $value;
}
sub holds
{
	my ($field, $operator, $row, @operands) = @_;
	my $text = $types{$field} =~ /string|Picklist/;
	my @values = map { value_of($field, $_) } ref $row->{$field} ? @{ $row->{$field} } : ($row->{$field});
	@values = grep { defined } @values;
	return 0 if !@values;
	my @bytes = map { my $v = value_of($field, $_); utf8::encode($v) if $text; $v } @operands;
	foreach my $value (@values)
	{
		utf8::encode($value) if $text;
		my @order = map { $text || $field eq 'modified_date__v' ? $value cmp $_ : $value <=> $_ } @bytes;
		return 1 if $operator eq 'EQUAL_TO' && grep { $_ == 0 } @order;
		return 0 if $operator eq 'NOT_EQUAL_TO' && grep { $_ == 0 } @order;
		return 1 if $operator eq 'CONTAINS' && grep { index($value, $_) >= 0 } @bytes;
		return 1 if ($operator eq 'LESS_THAN' && $order[0] < 0) || ($operator eq 'GREATER_THAN' && $order[0] > 0) || ($operator eq 'LESS_THAN_OR_EQUAL_TO' && $order[0] <= 0) || ($operator eq 'GREATER_THAN_OR_EQUAL_TO' && $order[0] >= 0) || ($operator eq 'BETWEEN' && $order[0] > 0 && $order[1] < 0);
	}
	return $operator eq 'NOT_EQUAL_TO' ? 1 : 0;
}
foreach my $n (1 .. 40)
{
	my $field = one(keys %types);
	my $list = $field =~ /areas|status/;
	my $operator = $list ? one('EQUAL_TO', 'NOT_EQUAL_TO', 'CONTAINS') : one('EQUAL_TO', 'NOT_EQUAL_TO', 'LESS_THAN', 'GREATER_THAN', 'LESS_THAN_OR_EQUAL_TO', 'GREATER_THAN_OR_EQUAL_TO', 'BETWEEN', $types{$field} eq 'string' ? 'CONTAINS' : 'EQUAL_TO');
	my $make = sub { my $v = $list ? one(@areas, 'c', "o'") : $field eq 'modified_date__v' ? moment() : $makers{$field}->(); $v =~ s/[^ -\x{10FFFF}]|\x{7f}|\s+$|^\s+//g; return length $v ? $v : 'a' };
	my @operands = map { $make->() } $operator eq 'BETWEEN' ? (1, 2) : (1);
	my @properties = $operator eq 'BETWEEN' ? (LOWER_BOUND => "$operands[0]", UPPER_BOUND => "$operands[1]") : (VALUE => "$operands[0]");
	my $run = $app->pull('vault', 'product__v', ['id'], table => 'id text', filters => [ $app->filter($field, $operator, DATA_TYPE => $types{$field}, @properties) ]);
	my $got = $app->sql("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM public.table$app->{flows}{number}");
	is($got, join(' ', map { $_->{id} } grep { holds($field, $operator, $_, @operands) } @rows), "flow $n: $field $operator") or diag(json_text(\@operands) . ' ' . AppflowTest::RestApps::told($run) =~ s/"started".*//r);
}

done_testing();
