/*
 * trio - up to five real nodes in one process: loops, disks and sockets of
 * their own, no HTTP. Blocking calls for tests.
 */
#ifndef TESTS_SUPPORT_TRIO_H
#define TESTS_SUPPORT_TRIO_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/node.h"

#define TRIO_MAX 5

struct trio;

/* count servers with bootstrap_expect = count, data under a fresh directory.
 * Nothing runs yet. Aborts the test on failure, like all here. */
struct trio *trio_new(unsigned count);
/* Stop what runs, remove the data. */
void trio_free(struct trio *trio);

/* One more that joins the others: bootstrap_expect = 0. Its number. */
unsigned trio_add(struct trio *trio);
void trio_start(struct trio *trio, unsigned server);
/* Stop the node, but leave it there: trio_stop ends it. */
void trio_halt(struct trio *trio, unsigned server);
/* In order, as SIGTERM would. */
void trio_stop(struct trio *trio, unsigned server);
struct node *trio_node(struct trio *trio, unsigned server);
/* The loop answers come to. */
struct loop *trio_home(struct trio *trio);
/* The data directory; borrowed. */
const char *trio_dir(struct trio *trio, unsigned server);

/* Wait until one that runs leads and is ready; its number. Fails after 10 s. */
unsigned trio_leader(struct trio *trio);
/* What the leader says of the member with this raft id; aborts if the leader
 * is not found within 10 s. false: no such member. */
bool trio_member(struct trio *trio, uint64_t id, struct node_member *out);
/* The raft id this server runs under. */
uint64_t trio_id(struct trio *trio, unsigned server);
/* Wait until the leader counts so many voters; false after 10 s. */
bool trio_voters(struct trio *trio, unsigned count);
void trio_sleep(unsigned ms);
/* Set a TLS configuration document through this server, and wait. */
enum err trio_put(struct trio *trio, unsigned server, const char *scope,
    const char *document, struct fsm_result *result);
enum err trio_barrier(struct trio *trio, unsigned server);
/* Does this server's state hold that document now? */
bool trio_has(struct trio *trio, unsigned server, const char *scope,
    const char *document);
/* Call the leader through this server, and wait. request may be NULL. */
enum err trio_call(struct trio *trio, unsigned server, enum node_call_kind kind,
    const void *request, size_t size, struct errmsg *why);

#endif
