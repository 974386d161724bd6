/*
 * frontend - the client loops: each with its connections, its parked reads and
 * its API context. Made and stopped by the main thread.
 */
#ifndef SERVER_FRONTEND_H
#define SERVER_FRONTEND_H

#include "server/api/api.h"
#include "storage/err.h"

struct config;
struct frontend;
struct loop;
struct tls_context;

/*
 * Bind every configured address (a busy one is ERR_EXISTS and named) and set
 * up the loops; registers their watches with the node. Nothing runs yet.
 * tls: for HTTPS, NULL when that is off; a reference is taken.
 */
MUST_CHECK enum err frontend_new(const struct config *config,
    const struct api_server *server, struct tls_context *tls,
    struct frontend **out, struct errmsg *why);
MUST_CHECK enum err frontend_start(
    struct frontend *frontend, struct errmsg *why);
/* New HTTPS connections use this context from now on. */
void frontend_set_tls(struct frontend *frontend, struct tls_context *tls);
/*
 * Answer what is parked, stop accepting, let answers leave; done runs on the
 * home loop when the loops owe nothing more. The node must stop beside it, so
 * that requests in its hands are answered.
 */
void frontend_stop(struct frontend *frontend, struct loop *home,
    void (*done)(void *arg), void *arg);
/* After done: end the threads, free all. NULL allowed. */
void frontend_free(struct frontend *frontend);

#endif
