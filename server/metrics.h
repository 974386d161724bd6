/*
 * metrics - one table of gauges, counters and timers, and its two expositions.
 *
 * Names are fixed at compile time in one X-macro table (name, kind, unit,
 * help). Updates are relaxed atomics: any thread, no lock. Timers keep count,
 * sum, min, max and sum of squares of the running 10 s interval (contract 2.17)
 * and a fixed-bucket histogram for Prometheus.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>

#include "storage/buf.h"

/* X(identifier, "dotted.name", kind, "help") - kind GAUGE, COUNTER, TIMER. */
#define METRICS(X)                                                             \
	X(HTTP_REQUESTS, "http.requests", COUNTER, "HTTP requests answered")   \
	X(HTTP_ERRORS, "http.errors", COUNTER, "HTTP answers of 400 and more") \
	X(HTTP_CONNECTIONS, "http.connections", GAUGE, "open connections")     \
	X(HTTP_LATENCY, "http.request", TIMER, "request to answer, ms")        \
	X(RPC_QUERY, "rpc.query", COUNTER, "reads executed")                   \
	X(RPC_BLOCKING, "rpc.queries_blocking", GAUGE, "parked reads")         \
	X(RPC_FORWARDED, "rpc.forwarded", COUNTER, "calls sent to the leader") \
	X(RAFT_APPLY, "raft.apply", COUNTER, "commands applied")               \
	X(RAFT_COMMIT_TIME, "raft.commitTime", TIMER, "propose to commit, ms") \
	X(RAFT_LEADER, "raft.leader", GAUGE, "1 if this server leads")         \
	X(RAFT_TERM, "raft.term", GAUGE, "current term")                       \
	X(RAFT_LAST_INDEX, "raft.last_index", GAUGE, "last log index")         \
	X(RAFT_COMMIT_INDEX, "raft.commit_index", GAUGE, "commit index")       \
	X(RAFT_APPLIED_INDEX, "raft.applied_index", GAUGE, "applied index")    \
	X(RAFT_ELECTIONS, "raft.state.candidate", COUNTER, "elections begun")  \
	X(RAFT_LAST_CONTACT, "raft.leader.lastContact", TIMER,                 \
	    "ms since the leader heard a quorum")                              \
	X(RAFT_CAPACITY, "raft.disk_capacity", GAUGE,                          \
	    "KiB of prepared log space")                                       \
	X(RAFT_SNAPSHOTS, "raft.snapshot.create", TIMER,                       \
	    "snapshot writing, ms")                                            \
	X(RAFT_BARRIERS, "raft.read_rounds", COUNTER, "read-index rounds")     \
	X(LOOP_STALL, "runtime.loop_stall", TIMER,                             \
	    "loop turns over 20 ms, ms")                                       \
	X(STATE_BYTES, "state.bytes", GAUGE, "live bytes of the state")        \
	X(STATE_REVISION, "state.revision", GAUGE, "state revision")           \
	X(STATE_HASH_MISMATCH, "state.hash_mismatch", COUNTER,                 \
	    "minutes in which a member disagreed")                             \
	X(FSM_CA, "fsm.ca", COUNTER, "CA commands applied")                    \
	X(CA_ROOT_EXPIRY, "mesh.active-root-ca.expiry", GAUGE,                 \
	    "seconds until the active root expires, NaN on non-leaders")       \
	X(CA_SIGNING_EXPIRY, "mesh.active-signing-ca.expiry", GAUGE,           \
	    "seconds until the signing CA expires, NaN on non-leaders")        \
	X(TLS_EXPIRY, "agent.tls.cert.expiry", GAUGE,                          \
	    "seconds until this server's certificate expires")

enum metric {
#define METRICS_ENUM(id, name, kind, help) METRIC_##id,
	METRICS(METRICS_ENUM)
#undef METRICS_ENUM
	    METRIC_COUNT
};

void metrics_set(enum metric metric, double value);
void metrics_add(enum metric metric, double delta);  /* gauges, counters */
void metrics_observe(enum metric metric, double ms); /* timers */

/* Start an interval if 10 s of monotonic time have passed; call once a second
 * from one thread. */
void metrics_tick(uint64_t now_ms, int64_t wall_seconds);

/* Contract 2.17. Prometheus names: prefix conclave_, and for those Consul has
 * (contract 2.17 list) a second line under consul_. */
void metrics_json(struct buf *out);
void metrics_prometheus(struct buf *out);

#endif
