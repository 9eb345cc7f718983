# Every connector type that is a destination, half of them, through the same checks: AppflowTest::Registry.
use strict;
use warnings;

use AppflowTest::Registry;
use Test::More;

my $registry = AppflowTest::Registry->new('registry_destinations', fixtures('destination', 1, 2));
$registry->check('destination');
$registry->check_secrets;
done_testing();
