/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between PostgreSQL 15, 16, 17 and 18 that the
 *	  extension meets, and nowhere else.
 *
 * Code is written for the newest API; this header gives older servers the
 * same names.
 *
 * IDENTIFICATION
 *	  src/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_COMPAT_H
#define APPFLOW_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "appflow needs PostgreSQL 15 or later"
#endif

/* before a declaration, as from 18 on */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* bytes for pg_b64_encode() and pg_b64_decode(): char before 18, uint8 since */
#define base64_bytes(bytes) ((void *) (bytes))

#if PG_VERSION_NUM < 160000
#include "fmgr.h"

/* from 16 on the macro exports the function as well as its record */
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(funcname) \
extern PGDLLEXPORT Datum funcname(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, funcname)(void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_, funcname)(void) \
{ \
	static const Pg_finfo_record my_finfo = {1}; \
	return &my_finfo; \
} \
extern int no_such_variable
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "executor/executor.h"
#include "parser/parse_relation.h"

/* from 16 on the permissions wanted stand beside the range table */
#if PG_VERSION_NUM >= 160000
#define range_table_check_permissions(pstate) \
	((void) ExecCheckPermissions((pstate)->p_rtable, (pstate)->p_rteperminfos, true))
#define namespace_item_permissions(nsitem) ((nsitem)->p_perminfo)
#else
#define range_table_check_permissions(pstate) \
	((void) ExecCheckRTPerms((pstate)->p_rtable, true))
#define namespace_item_permissions(nsitem) ((nsitem)->p_rte)
#endif

/*
 * The columns of a relation that the statement names, wherever it does, less
 * FirstLowInvalidHeapAttributeNumber; false: not known, as of members of a
 * partitioned table.
 */
static inline bool
named_columns(Query *query, RangeTblEntry *entry, Bitmapset **columns)
{
#if PG_VERSION_NUM >= 160000
	if (entry->perminfoindex == 0)
		return false;
	*columns = getRTEPermissionInfo(query->rteperminfos, entry)->selectedCols;
#else
	if (entry->requiredPerms == 0)
		return false;
	*columns = entry->selectedCols;
#endif
	return true;
}

/* an executor state over a range table of one plain relation */
#if PG_VERSION_NUM >= 180000
#define executor_init_range_table(estate, pstate) \
	ExecInitRangeTable(estate, (pstate)->p_rtable, (pstate)->p_rteperminfos, bms_make_singleton(1))
#elif PG_VERSION_NUM >= 160000
#define executor_init_range_table(estate, pstate) \
	ExecInitRangeTable(estate, (pstate)->p_rtable, (pstate)->p_rteperminfos)
#else
#define executor_init_range_table(estate, pstate) \
	ExecInitRangeTable(estate, (pstate)->p_rtable)
#endif

#if PG_VERSION_NUM >= 160000
#define executor_insert_index_tuples(relinfo, slot, estate) \
	ExecInsertIndexTuples(relinfo, slot, estate, false, false, NULL, NIL, false)
#else
#define executor_insert_index_tuples(relinfo, slot, estate) \
	ExecInsertIndexTuples(relinfo, slot, estate, false, false, NULL, NIL)
#endif

/* the next count rows; may be called again */
#if PG_VERSION_NUM >= 180000
#define executor_run(query_desc, count) ExecutorRun(query_desc, ForwardScanDirection, count)
#else
#define executor_run(query_desc, count) ExecutorRun(query_desc, ForwardScanDirection, count, false)
#endif

/* a wait event of that name, from 17 on; before, the one all extensions share */
#if PG_VERSION_NUM >= 170000
#include "utils/wait_event.h"
#define extension_wait_event(name) WaitEventExtensionNew(name)
#else
#include "utils/wait_event.h"
#define extension_wait_event(name) ((uint32) PG_WAIT_EXTENSION)
#endif

#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "utils/acl.h"
#include "utils/regproc.h"

#if PG_VERSION_NUM >= 160000
#define relation_is_owned(relation, role) object_ownercheck(RelationRelationId, relation, role)
#else
#define relation_is_owned(relation, role) pg_class_ownercheck(relation, role)
#endif

#if PG_VERSION_NUM >= 160000
#define function_aclcheck(function, role) object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE)
#define qualified_name_list(text) stringToQualifiedNameList(text, NULL)
#else
#define function_aclcheck(function, role) pg_proc_aclcheck(function, role, ACL_EXECUTE)
#define qualified_name_list(text) stringToQualifiedNameList(text)
#endif

/* paths of foreign scans: without disabled nodes before 18, and restrictions of their own before 17 */
#include "optimizer/pathnode.h"

#if PG_VERSION_NUM >= 180000
#define foreign_scan_path(root, rel, target, rows, startup, total, keys, outer, outer_path, private) \
	create_foreignscan_path(root, rel, target, rows, 0, startup, total, keys, outer, outer_path, NIL, private)
#define foreign_join_path(root, rel, target, rows, startup, total, keys, outer, outer_path, private) \
	create_foreign_join_path(root, rel, target, rows, 0, startup, total, keys, outer, outer_path, NIL, private)
#define foreign_upper_path(root, rel, target, rows, startup, total, keys, outer_path, private) \
	create_foreign_upper_path(root, rel, target, rows, 0, startup, total, keys, outer_path, NIL, private)
#elif PG_VERSION_NUM >= 170000
#define foreign_scan_path(root, rel, target, rows, startup, total, keys, outer, outer_path, private) \
	create_foreignscan_path(root, rel, target, rows, startup, total, keys, outer, outer_path, NIL, private)
#define foreign_join_path(root, rel, target, rows, startup, total, keys, outer, outer_path, private) \
	create_foreign_join_path(root, rel, target, rows, startup, total, keys, outer, outer_path, NIL, private)
#define foreign_upper_path(root, rel, target, rows, startup, total, keys, outer_path, private) \
	create_foreign_upper_path(root, rel, target, rows, startup, total, keys, outer_path, NIL, private)
#else
#define foreign_scan_path create_foreignscan_path
#define foreign_join_path create_foreign_join_path
#define foreign_upper_path create_foreign_upper_path
#endif

/* the columns that rows are grouped by; without those that are redundant from 16 on */
#if PG_VERSION_NUM >= 160000
#define group_clauses(root) ((root)->processed_groupClause)
#else
#define group_clauses(root) ((root)->parse->groupClause)
#endif

/* the role whose rights a foreign scan has, InvalidOid: the current user's */
#include "executor/executor.h"
#include "nodes/plannodes.h"

static inline Oid
foreign_scan_role(ForeignScan *plan, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return plan->checkAsUser;
#else
	int			rti = plan->scan.scanrelid > 0 ? (int) plan->scan.scanrelid : bms_next_member(plan->fs_relids, -1);

	return exec_rt_fetch(rti, estate)->checkAsUser;
#endif
}

/* as whom a table that is changed is accessed; InvalidOid: the user */
#include "parser/parsetree.h"

#if PG_VERSION_NUM >= 160000
#define result_relation_role(info, estate) ExecGetResultRelCheckAsUser(info, estate)
/* a partition has what its root has */
#define range_table_role(root, rte) \
	(getRTEPermissionInfo((root)->parse->rteperminfos, (rte)->perminfoindex != 0 ? (rte) : \
						  rt_fetch((root)->parse->resultRelation, (root)->parse->rtable))->checkAsUser)
#else
#define result_relation_role(info, estate) \
	(exec_rt_fetch((info)->ri_RangeTableIndex != 0 || (info)->ri_RootResultRelInfo == NULL ? \
				   (info)->ri_RangeTableIndex : (info)->ri_RootResultRelInfo->ri_RangeTableIndex, estate)->checkAsUser)
#define range_table_role(root, rte) ((rte)->checkAsUser)
#endif

/* EXPLAIN's functions have headers of their own from 18 on */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* which way a path key sorts, and by which operator: strategies of btree before 18 */
#if PG_VERSION_NUM >= 180000
#define pathkey_descends(key) ((key)->pk_cmptype == COMPARE_GT)
#define pathkey_operator(key, type) \
	get_opfamily_member_for_cmptype((key)->pk_opfamily, type, type, (key)->pk_cmptype)
#else
#define pathkey_descends(key) ((key)->pk_strategy == BTGreaterStrategyNumber)
#define pathkey_operator(key, type) get_opfamily_member((key)->pk_opfamily, type, type, (key)->pk_strategy)
#endif

/* a point where vacuum and analyze may be cancelled, and wait; it has an argument from 18 on */
#if PG_VERSION_NUM >= 180000
#define vacuum_delay_point_now() vacuum_delay_point(true)
#else
#define vacuum_delay_point_now() vacuum_delay_point()
#endif

#endif							/* APPFLOW_COMPAT_H */
