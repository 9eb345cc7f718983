# Every connector type that is a source, half of them, through the same checks: AppflowTest::Registry.
use strict;
use warnings;

use AppflowTest::Registry;
use Test::More;

my $registry = AppflowTest::Registry->new('registry_sources', fixtures('source', 2, 2));
$registry->check('source');
$registry->check_secrets;
done_testing();
