/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What EXPLAIN tells of a foreign scan.
 *
 * Without ANALYZE nobody is asked: what is shown is what would be asked as far as
 * the cache knows the entity.
 *
 * IDENTIFICATION
 *	  src/fdw/explain.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/fdw.h"
#include "flow/session.h"
#include "utils/builtins.h"
#include "utils/ruleutils.h"

static char *
deparse(ExplainState *es, ForeignScan *plan, Node *expr)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);

	return deparse_expression(expr, context, list_length(es->rtable) > 1 || es->verbose, false);
}

static const Field *
described_field(const Request *request, const Condition *condition)
{
	const Schema *described = ((Member *) list_nth(request->members, condition->member))->described;
	int			index = described == NULL ? -1 : schema_find(described, condition->field);

	return index < 0 ? NULL : &described->fields[index];
}

/* why a condition that was to be pushed is checked here */
static const char *
reason_of(const Request *request, const Asking *asking, int index, const Connector *connector)
{
	Condition  *condition = list_nth(request->conditions, index);
	Member	   *main = linitial(request->members);

	if (connector->describe_entity == NULL)
		return "the source evaluates no conditions";
	if (main->described == NULL)
		return "the entity's fields are not known yet";
	if (asking->filters[index] != NULL)
		return "the application does not evaluate it with the same meaning";
	if (condition->field != NULL && described_field(request, condition) == NULL)
		return "the entity's description lacks the field";
	return condition->field != NULL && !field_compares(described_field(request, condition), condition->type,
													   condition->typmod, condition->operator) ?
		"the application's values do not compare as the column's do" : "a value cannot be said in the application's terms";
}

/* a filter for people: where the rows have no columns to say it by */
static void
append_filter(StringInfo out, const Filter *filter)
{
	static const char *const signs[] = {
		[FILTER_LESS_THAN] = "<", [FILTER_GREATER_THAN] = ">", [FILTER_CONTAINS] = "contains", [FILTER_BETWEEN] = "between",
		[FILTER_LESS_THAN_OR_EQUAL_TO] = "<=", [FILTER_GREATER_THAN_OR_EQUAL_TO] = ">=", [FILTER_EQUAL_TO] = "=",
		[FILTER_NOT_EQUAL_TO] = "<>", [FILTER_STARTS_WITH] = "starts with", [FILTER_IS_NULL] = "is null",
		[FILTER_IS_NOT_NULL] = "is not null"
	};
	ListCell   *lc;

	if (filter->operator == FILTER_ANY || filter->operator == FILTER_ALL)
	{
		appendStringInfoChar(out, '(');
		foreach(lc, filter->children)
		{
			if (foreach_current_index(lc) > 0)
				appendStringInfoString(out, filter->operator == FILTER_ANY ? " or " : " and ");
			append_filter(out, lfirst(lc));
		}
		appendStringInfoChar(out, ')');
		return;
	}
	appendStringInfo(out, "%s %s", filter->field, signs[filter->operator]);
	for (int i = 0; i < filter->noperands; i++)
		appendStringInfo(out, "%s %s", i > 0 ? "," : "", filter->operands[i] ? quote_literal_cstr(filter->operands[i]) : "$");
}

static void
show_filters(const Asking *asking, int count, ExplainState *es)
{
	List	   *pushed = NIL;

	for (int i = 0; i < count; i++)
	{
		StringInfoData text;

		if (asking->filters[i] == NULL)
			continue;
		initStringInfo(&text);
		append_filter(&text, asking->filters[i]);
		pushed = lappend(pushed, text.data);
	}
	if (pushed != NIL)
		ExplainPropertyList("Pushed Down", pushed, es);
}

static void
show_conditions(ForeignScan *plan, const Request *request, const Asking *asking, const Connector *connector,
				ExplainState *es)
{
	List	   *pushed = NIL;
	List	   *here = NIL;
	ListCell   *lc;
	int			i = 0;

	if (request->aggregates != NIL)
		show_filters(asking, list_length(request->conditions), es);
	foreach(lc, plan->fdw_recheck_quals)
	{
		char	   *text = deparse(es, plan, lfirst(lc));

		if (asking_settled(asking, i))
			pushed = lappend(pushed, text);
		else
			here = lappend(here, psprintf("%s (%s)", text, reason_of(request, asking, i, connector)));
		i++;
	}
	i = 0;
	foreach(lc, plan->scan.plan.qual)
	{
		const char *reason = i < list_length(request->reasons) ? list_nth(request->reasons, i) : NULL;

		here = lappend(here, psprintf("%s (%s)", deparse(es, plan, lfirst(lc)),
									  reason ? reason : "it is evaluated here"));
		i++;
	}
	if (pushed != NIL)
		ExplainPropertyList("Pushed Down", pushed, es);
	if (here != NIL)
		ExplainPropertyList("Kept Here", here, es);
}

static void
show_rest(const Request *request, const Asking *asking, ExplainState *es)
{
	ReadRequest *read = asking->read;
	List	   *order = NIL;
	ListCell   *lc;

	foreach(lc, read->order)
	{
		OrderKey   *key = lfirst(lc);

		order = lappend(order, psprintf("%s%s%s", key->field, key->descending ? " DESC" : "",
										key->nulls_first == key->descending ? "" :
										key->nulls_first ? " NULLS FIRST" : " NULLS LAST"));
	}
	if (order != NIL)
		ExplainPropertyList("Pushed Order", order, es);
	if (request->limited && read->limit_taken)
		ExplainPropertyText("Pushed Limit",
							request->offset >= 0 && request->limit >= 0 ? "limit and offset" :
							request->offset >= 0 ? "offset" : "limit", es);
	if (request->aggregates != NIL)
		ExplainPropertyText("Pushed Aggregates", read->aggregates_taken ? "all" : "none", es);
}

static void
show_execution(const FdwScan *scan, ExplainState *es)
{
	const Rows *rows = scan->rows;

	if (scan->checked_out > 0)
		ExplainPropertyUInteger("Rows Removed by Checks", NULL, scan->checked_out, es);
	if (es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyUInteger("Scans", NULL, scan->scans, es);
		ExplainPropertyUInteger("Requests", NULL, rows->use.requests, es);
		ExplainPropertyUInteger("Retries", NULL, rows->use.retries, es);
		ExplainPropertyUInteger("Pages", NULL, rows_pages(rows), es);
		ExplainPropertyUInteger("Bytes", NULL, rows_bytes(rows), es);
		if (es->timing)
			ExplainPropertyFloat("Waiting", "ms", rows->waited / 1000.0, 3, es);
		return;
	}
	appendStringInfoSpaces(es->str, es->indent * 2);
	appendStringInfo(es->str, "Requests: " UINT64_FORMAT "  Retries: " UINT64_FORMAT "  Pages: " UINT64_FORMAT
					 "  Bytes: " UINT64_FORMAT, rows->use.requests, rows->use.retries, rows_pages(rows), rows_bytes(rows));
	if (es->timing)
		appendStringInfo(es->str, "  Waiting: %.3f ms", rows->waited / 1000.0);
	appendStringInfoChar(es->str, '\n');
}

static void
explain_scan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	FdwScan    *scan = node->fdw_state;
	Request    *request = scan->request;
	Member	   *main = linitial(request->members);
	ConnectorSession *session = fdw_session_open(main->options, scan->role);
	Asking	   *asking;
	char	   *words;
	ListCell   *lc;

	foreach(lc, request->members)
	{
		Member	   *member = lfirst(lc);

		if (member->options == NULL)
			member->options = fdw_table_options(member->relid);
		if (member->described == NULL && member->options->entity != NULL)
			member->described = session_describe(session, member->options->entity, true);
	}
	words = fdw_ask_plan(session, request, scan->operands ? scan->operands : request_constants(request), &asking);
	if (asking->never)
		words = "none: no record can satisfy the conditions";
	ExplainPropertyText("Remote Entity", fdw_entity_name(main->options), es);
	if (words != NULL)
		ExplainPropertyText("Remote Request", words, es);
	if (es->analyze && scan->rows->asking != NULL)
		asking = scan->rows->asking;
	show_conditions(plan, request, asking, session->connector, es);
	show_rest(request, asking, es);
	if (es->analyze)
		show_execution(scan, es);
	session_close(session);
}

void
fdw_explain_routine(FdwRoutine *routine)
{
	routine->ExplainForeignScan = explain_scan;
}
