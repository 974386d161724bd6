/*
 * metrics - one table of gauges, counters and timers, and its two expositions.
 *
 * Names are fixed at compile time in one X-macro table. Updates are relaxed
 * atomics: any thread, no lock, so one interval may show a value of a moment
 * more or less. Counters and timers keep count, sum, min, max and sum of
 * squares of the running 10 s interval (contract 2.17); timers also a
 * fixed-bucket histogram for Prometheus. A gauge never set is not shown.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>

#include "storage/buf.h"

/*
 * X(identifier, "dotted.name", kind, consul, "help")
 * kind    GAUGE, COUNTER, TIMER (observed in ms)
 * consul  CONSUL if Consul has one of that name: it is printed under consul_
 *         too, so that existing dashboards go on; OURS otherwise.
 */
#define METRICS(X)                                                             \
	X(HTTP_REQUESTS, "http.requests", COUNTER, OURS,                       \
	    "HTTP requests answered")                                          \
	X(HTTP_ERRORS, "http.errors", COUNTER, OURS,                           \
	    "HTTP answers of 400 and more")                                    \
	X(HTTP_CONNECTIONS, "http.connections", GAUGE, OURS,                   \
	    "open connections")                                                \
	X(HTTP_LATENCY, "http.request", TIMER, OURS, "request to answer")      \
	X(RPC_QUERY, "rpc.query", COUNTER, CONSUL, "reads executed")           \
	X(RPC_BLOCKING, "rpc.queries_blocking", GAUGE, CONSUL, "parked reads") \
	X(RPC_FORWARDED, "rpc.forwarded", COUNTER, OURS,                       \
	    "calls sent to the leader")                                        \
	X(RAFT_APPLY, "raft.apply", COUNTER, CONSUL, "commands applied")       \
	X(RAFT_COMMIT_TIME, "raft.commitTime", TIMER, CONSUL,                  \
	    "propose to commit")                                               \
	X(RAFT_LEADER, "raft.leader", GAUGE, OURS, "1 if this server leads")   \
	X(RAFT_TERM, "raft.term", GAUGE, OURS, "current term")                 \
	X(RAFT_LAST_INDEX, "raft.last_index", GAUGE, CONSUL, "last log index") \
	X(RAFT_COMMIT_INDEX, "raft.commit_index", GAUGE, CONSUL,               \
	    "commit index")                                                    \
	X(RAFT_APPLIED_INDEX, "raft.applied_index", GAUGE, CONSUL,             \
	    "applied index")                                                   \
	X(RAFT_ELECTIONS, "raft.state.candidate", COUNTER, CONSUL,             \
	    "elections begun")                                                 \
	X(RAFT_LAST_CONTACT, "raft.leader.lastContact", TIMER, CONSUL,         \
	    "since the leader heard a quorum")                                 \
	X(RAFT_CAPACITY, "raft.disk_capacity", GAUGE, OURS,                    \
	    "KiB of prepared log space")                                       \
	X(RAFT_SNAPSHOTS, "raft.snapshot.create", TIMER, CONSUL,               \
	    "snapshot writing")                                                \
	X(RAFT_BARRIERS, "raft.read_rounds", COUNTER, OURS,                    \
	    "read-index rounds")                                               \
	X(LOOP_STALL, "runtime.loop_stall", TIMER, OURS,                       \
	    "loop turns over 20 ms")                                           \
	X(STATE_BYTES, "state.bytes", GAUGE, OURS, "live bytes of the state")  \
	X(STATE_REVISION, "state.revision", GAUGE, OURS, "state revision")     \
	X(STATE_HASH_MISMATCH, "state.hash_mismatch", COUNTER, OURS,           \
	    "minutes in which a member disagreed")                             \
	X(FSM_CA, "fsm.ca", COUNTER, CONSUL, "CA commands applied")            \
	X(CA_ROOT_EXPIRY, "mesh.active-root-ca.expiry", GAUGE, CONSUL,         \
	    "seconds until the active root expires, NaN on non-leaders")       \
	X(CA_SIGNING_EXPIRY, "mesh.active-signing-ca.expiry", GAUGE, CONSUL,   \
	    "seconds until the signing CA expires, NaN on non-leaders")        \
	X(TLS_EXPIRY, "agent.tls.cert.expiry", GAUGE, CONSUL,                  \
	    "seconds until this server's certificate expires")

enum metric {
#define METRICS_ENUM(id, name, kind, consul, help) METRIC_##id,
	METRICS(METRICS_ENUM)
#undef METRICS_ENUM
	    METRIC_COUNT
};

void metrics_set(enum metric metric, double value);  /* gauges; NaN allowed */
void metrics_add(enum metric metric, double delta);  /* gauges, counters */
void metrics_observe(enum metric metric, double ms); /* timers */

/* Close the interval and start the next if 10 s of monotonic time have passed;
 * call once a second from one thread. */
void metrics_tick(uint64_t now_ms, int64_t wall_seconds);

/*
 * Contract 2.17: gauges as they are now, the rest of the last closed interval;
 * Name is "consul." and the dotted name. A gauge that is NaN is left out, JSON
 * has no word for it.
 */
void metrics_json(struct buf *out);

/*
 * Text format 0.0.4, values since start. conclave_<name>, with _total for
 * counters and as histogram conclave_<name>_seconds for timers; what Consul has
 * also as it prints it: consul_<name>, timers as a summary in ms.
 */
void metrics_prometheus(struct buf *out);

#endif
