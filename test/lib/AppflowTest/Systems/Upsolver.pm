# Upsolver reads from a bucket, so it is an object store here.
package AppflowTest::Systems::Upsolver;

use strict;
use warnings;

use parent -norequire, 'AppflowTest::Systems::S3';

require AppflowTest::Systems::S3;

sub bucket { return 'upsolver-appflow-lake'; }
sub prepare { my ($self) = @_; $self->store('create', 'S3RVER'); return; }
sub source { return; }

sub destination { my ($self) = @_; return { %{ $self->SUPER::destination }, listed => 'Upsolver reads what is put into its bucket, and tells nothing' }; }

1;
