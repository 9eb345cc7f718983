# Parquet files, read back by two independent readers: hyparquet and DuckDB.
#
# parquet_make writes the files and what must be in them; parquet/read.mjs
# compares and speaks TAP, which is passed on as it is.  No server is needed.

use strict;
use warnings;

use File::Temp qw(tempdir);

my $tests = $ENV{APPFLOW_TEST_DIR} or die "APPFLOW_TEST_DIR is not set\n";
my $build = $ENV{APPFLOW_BUILD} or die "APPFLOW_BUILD is not set\n";
my $directory = tempdir(CLEANUP => 1);

open my $make, '-|', "$build/parquet_make", $directory or die "parquet_make: $!\n";
my @cases = <$make>;
close $make or die "parquet_make failed\n";
die "parquet_make made nothing\n" unless @cases;

system('node', "$tests/parquet/read.mjs", $directory);
exit($? == 0 ? 0 : 1);
