/*
 * table - which LMDB tables the state machine has, and their keys.
 *
 * Numbers are stored: append, never renumber. Row layouts stand with the
 * module named; "Records" in ARCHITECTURE.md lists them all.
 */
#ifndef FSM_TABLE_H
#define FSM_TABLE_H

enum table {
	TABLE_INDEX = 1,    /* fsm/index: table or object class -> revision */
	TABLE_CLUSTER = 2,  /* fsm/cluster: "cluster" -> id, quota; one row */
	TABLE_MEMBER = 3,   /* fsm/cluster: u64 raft id -> member record */
	TABLE_REQUEST = 4,  /* fsm/request: u64 server, u64 seq -> result */
	TABLE_CACONFIG = 5, /* fsm/authority: "config", one row */
	TABLE_ROOT = 6,     /* fsm/authority: root ID text -> root */
	TABLE_PROVIDER = 7, /* fsm/authority: provider-state ID -> row */
	TABLE_SERIAL = 8,   /* fsm/authority: "serial" -> u64 */
	TABLE_TLSCONF = 9   /* fsm/tlsconf: scope -> document */
};

#endif
