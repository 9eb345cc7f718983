# AppflowTest::Memory
#	What is left in the memory of a session: SQL that has the session write its own
#	writable memory into a file, and a search in that.
#
#	use AppflowTest::Memory;
#	$node->psql('postgres', 'SELECT something(); ' . memory_to("$place/memory"));
#	my @copies = copies_in("$place/memory", 'a secret');

package AppflowTest::Memory;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(memory_to copies_in);

# A superuser's statements.  Shared memory and files are left out: they are looked at
# as such.  The session frees nothing of what it had, and adds nothing but copies.
sub memory_to
{
	my ($path) = @_;
	return qq{
DO \$memory\$
DECLARE
	region record;
	piece bytea;
	at bigint;
BEGIN
	CREATE TEMPORARY TABLE IF NOT EXISTS memory_piece (piece bytea);
	ALTER TABLE memory_piece ALTER COLUMN piece SET STORAGE EXTERNAL;
	FOR region IN SELECT ('x' || lpad(m[1], 16, '0'))::bit(64)::bigint AS start, ('x' || lpad(m[2], 16, '0'))::bit(64)::bigint AS finish
		FROM regexp_matches(pg_read_file('/proc/self/maps'), '^([0-9a-f]+)-([0-9a-f]+) rw-p \\S+ \\S+ (?:0|\\d+) *(?:|\\[heap\\]|\\[stack\\])\$', 'gn') m
	LOOP
		at := region.start;
		WHILE at < region.finish LOOP
			BEGIN
				INSERT INTO memory_piece VALUES (pg_read_binary_file('/proc/self/mem', at, least(region.finish - at, 16777216)));
			EXCEPTION WHEN OTHERS THEN
				RAISE NOTICE 'memory at %: %', at, SQLERRM;
			END;
			at := at + 16777216;
		END LOOP;
	END LOOP;
END \$memory\$;
COPY memory_piece TO PROGRAM 'cat > $path' (FORMAT binary);
TRUNCATE memory_piece;
};
}

# what is around a text, each time that it is there
sub copies_in
{
	my ($path, $text) = @_;
	open my $file, '<:raw', $path or die "$path: $!";
	local $/;
	my $memory = <$file>;
	my @copies;
	while ($memory =~ /\Q$text\E/g)
	{
		my $from = $-[0] > 60 ? $-[0] - 60 : 0;
		push @copies, substr($memory, $from, 160) =~ s/[^ -~]/./gr;
	}
	return @copies;
}

1;
