#include "postgres.h"
#include "apps/marketo.h"
RecordWriter *
marketo_open_writer(ConnectorSession *session, WriteRequest *request)
{
	return NULL;
}
int
marketo_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return 1;
}
