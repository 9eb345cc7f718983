#include "postgres.h"
#include "apps/sap_odata.h"
RecordWriter *sap_open_writer(ConnectorSession *session, WriteRequest *request) { return NULL; }
int sap_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation) { return 1; }
