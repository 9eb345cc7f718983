# A gateway as strict as ABAP's; SAP's own servers are in t/260 to t/268.
package AppflowTest::Systems::SAPOData;

use strict;
use warnings;

use parent 'AppflowTest::System';

my $service = '/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001';

sub start
{
	my ($self) = @_;
	$self->simulator('sap/gateway.js', 50);
	$self->post('_rows/OrderSet', [ map { +{
		OrderId => sprintf('%010d', $_), Customer => "O'Neil & Co \x{fc} $_", Amount => "$_.500", Quantity => $_ - 90, Counter => '900719925474' . sprintf('%04d', $_), Rate => 0.25 * $_,
		Paid => $_ % 2 ? JSON::PP::true : JSON::PP::false, Day => 1709251200000 + 86400000 * $_, Local => 1709287872000, ChangedAt => 1709287872000 + 60000 * $_, Clock => 'PT10H00M00S',
		Ref => sprintf('6f9619ff-8b86-d011-b42d-%012d', $_), Blob => '+/8=', Status => 'A', Country => $_ % 3 ? 'DE' : 'FR' } } 1 .. 180 ]);
	return;
}

sub calm { my ($self) = @_; $self->get('_calm'); return; }
sub refused { my ($self) = @_; return $self->get('_refused'); }
sub asked { my ($self, $pattern) = @_; return scalar grep { "$_->{method} $_->{url}" =~ $pattern } @{ $self->get('_seen') }; }

sub profile
{
	my ($self, $kind) = @_;
	return {
		properties => { applicationHostUrl => 'http://127.0.0.1', portNumber => $self->{port} + 0, applicationServicePath => '/sap/opu/odata4/iwfnd/config/default/iwfnd/catalog/0002', clientNumber => '100', logonLanguage => 'EN',
			$kind eq 'expiring' ? (oAuthProperties => { tokenUrl => "$self->{url}/sap/bc/sec/oauth2/token", authCodeUrl => "$self->{url}/x", oAuthScopes => ['ZSALES_SRV_0001'] }) : () },
		credentials => $kind eq 'expiring' ? { oAuthCredentials => { clientId => 'client', clientSecret => 'planted-secret', accessToken => 'planted-old', refreshToken => 'refresh-0' } }
		: { basicAuthCredentials => { username => 'me', password => $kind eq 'wrong' ? 'planted-wrong' : 'secret' } } };
}

sub throttle { my ($self, $match) = @_; $self->post('_next', { match => $match, status => 503, headers => { 'Retry-After' => '0' } }); return; }
sub garbled
{
	my ($self, $match) = @_;
	my $html = '<html><body>Please log on</body></html>';
	return { html => sub { $self->post('_next', { match => $match, status => 200, headers => { 'Content-Type' => 'text/html' }, body => $html }) },
		$match eq '$batch' ? (cut => sub { $self->post('_next', { match => $match, status => 200, headers => { 'Content-Type' => 'multipart/mixed; boundary=x' }, body => "--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n" }) })
		: (cut => sub { $self->post('_next', { match => $match, cut => 3000, quiet => JSON::PP::true }) }) };
}

sub source
{
	my ($self) = @_;
	my $all = sub { my $rows = $self->get('_rows/OrderSet'); return [ grep { $_->{OrderId} =~ /^0/ } @$rows ]; };
	return {
		entity => "$service/OrderSet", path => $service, properties => { objectPath => "$service/OrderSet" },
		columns => [ [ OrderId => 'String', 'text' ], [ Customer => 'String', 'text' ], [ Amount => 'BigDecimal', 'numeric' ], [ Counter => 'Long', 'bigint' ], [ Paid => 'Boolean', 'boolean' ],
			[ Day => 'Date', 'date' ], [ ChangedAt => 'DateTime', 'timestamptz' ], [ Country => 'String', 'text' ] ],
		held => sub { return [ map { +{ %$_, Day => substr($self->moment($_->{Day}), 0, 10), ChangedAt => $self->moment($_->{ChangedAt}) } } @{ $all->() } ]; },
		paged => sub { return $self->asked(qr{OrderSet\?}); },
		filter => { task => [ 'Country', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'FR' ], where => q{"Country" = 'FR'}, exact => 1 },
		incremental => \'ChangedAt',
		throttle => sub { $self->throttle('skiptoken=50') },
		expire => { arm => sub { $self->post('_expire', {}); $self->post('_next', { match => 'skiptoken=100', expire => JSON::PP::true }) }, renewed => sub { $self->asked(qr{oauth2}) - 1 } },
		denied => qr/Logon failed|status 401/,
		malformed => $self->garbled('skiptoken=50') };
}

sub destination
{
	my ($self) = @_;
	return {
		entity => "$service/OrderSet", path => $service, properties => { objectPath => "$service/OrderSet" },
		columns => [ [ OrderId => 'String', 'text' ], [ Customer => 'String', 'text' ], [ Amount => 'BigDecimal', 'numeric' ], [ Quantity => 'Integer', 'int' ], [ Country => 'String', 'text' ] ],
		rows => sub {
			my ($numbers, $generation) = @_;
			return qq{SELECT 'W' || n AS "OrderId", 'Söhne & "' || n || '" $generation' AS "Customer", n / 8.0 AS "Amount", n AS "Quantity", 'DE' AS "Country" FROM $numbers};
		},
		stored => sub { return [ grep { $_->{OrderId} =~ /^W/ } @{ $self->get('_rows/OrderSet') } ]; },
		by => { UPSERT => 'OrderId', UPDATE => 'OrderId', DELETE => 'OrderId' },
		paged => sub { return $self->asked(qr{\$batch}); },
		reject => { row => q{SELECT 'W9999', 'blocked', 1, 1, 'DE'}, told => qr/Customer blocked is blocked for order processing/ },
		throttle => sub { $self->throttle('$batch') },
		expire => { arm => sub { $self->post('_expire', {}); $self->post('_next', { match => '$batch', expire => JSON::PP::true }) }, renewed => sub { $self->asked(qr{oauth2}) - 1 } },
		denied => qr/Logon failed|status 401/,
		malformed => $self->garbled('$batch') };
}

1;
