/*
 * conclave - C client of a Conclave cluster. Any server that speaks Consul's
 * HTTP API for the same objects will do.
 *
 * The rules, first:
 * - Several servers may be named. Calls go to the first that works; a server
 *   that cannot be reached is left for the next.
 * - A GET is tried on every server before it fails. Anything else is sent
 *   again only when it was surely not sent before; when the answer got lost on
 *   its way, the error is CONCLAVE_UNKNOWN: read before you retry.
 * - Errors are values: a code to switch on, and one sentence for people.
 *   Functions that can fail return the code; the error pointer may be NULL.
 * - Threads: one client serves any number of threads at once. An answer, a
 *   watch and every other struct belongs to one thread at a time, but for the
 *   functions that say "any thread".
 * - fork: a child must not use, nor free, a client of its parent.
 * - Signals: none are raised, caught or blocked (SIGPIPE neither).
 * - Proxies of the environment are not used, redirects are not followed.
 * - Strings are UTF-8 and end in NUL. An index (revision) is at least 1.
 * - Tokens, answers and configurations are wiped when they are freed.
 *
 * Link with: pkg-config --cflags --libs libconclave. libconclave(3) has more.
 */
#ifndef CONCLAVE_H
#define CONCLAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#define CONCLAVE_CHECK __attribute__((warn_unused_result))
#else
#define CONCLAVE_CHECK
#endif

#define CONCLAVE_SERVERS_MAX 64   /* addresses of one client */
#define CONCLAVE_TEXT_SIZE   1024 /* bytes of an error's sentence, with NUL */
#define CONCLAVE_ETAG_SIZE   64   /* bytes, with NUL */

struct conclave;       /* a client: opaque, it holds a token */
struct conclave_watch; /* a long-poll that goes on until stopped */

/* -- errors -------------------------------------------------------------- */

enum conclave_err {
	CONCLAVE_OK,
	CONCLAVE_INVALID,     /* an argument, or the server says so (400) */
	CONCLAVE_NOMEM,       /* out of memory, here */
	CONCLAVE_UNREACHABLE, /* no server answered; a write was not sent */
	CONCLAVE_TLS,         /* as above: no server could be trusted */
	CONCLAVE_TIMEOUT,     /* as above: not within the time given */
	CONCLAVE_UNKNOWN,     /* a write that may have been done, or not */
	CONCLAVE_CANCELED,    /* by conclave_cancel or conclave_watch_stop */
	CONCLAVE_MALFORMED,   /* the answer is not what the contract says */
	CONCLAVE_DENIED,      /* 403: the token does not allow it */
	CONCLAVE_NOTFOUND,    /* 404 */
	CONCLAVE_CONFLICT,    /* somebody else changed it first: read again */
	CONCLAVE_BUSY,        /* 429, 503: a limit; later it may work */
	CONCLAVE_NOLEADER,    /* the cluster has no leader now */
	CONCLAVE_REFUSED,     /* any other answer that is not a 200 */
};

struct conclave_error {
	enum conclave_err code;
	int status;                    /* of HTTP; 0: no answer came */
	char text[CONCLAVE_TEXT_SIZE]; /* no newline, never a secret of ours */
};

/* "out of memory" and so on. Static; any thread. */
const char *conclave_err_text(enum conclave_err code);

/* "0.1.0", of the library that runs. Static; any thread. */
const char *conclave_version(void);

/* -- the client ---------------------------------------------------------- */

/*
 * What a client is made from. All of it is copied. Zero, false and NULL mean
 * the default, so that struct conclave_options o = {0} is a good start.
 *
 * servers  host[:port] (port 8500; 8501 with tls), http://host[:port],
 *          https://host[:port], unix:///path; IPv6 in brackets. NULL: one
 *          server, 127.0.0.1:8500. The first is tried first.
 */
struct conclave_options {
	const char *const *servers;
	size_t server_count;
	bool spread; /* begin at a random server: for fleets of watchers */

	const char *token;      /* sent as X-Consul-Token */
	const char *datacenter; /* NULL: that of the server */

	bool tls;            /* https also where an address says otherwise */
	const char *ca_file; /* PEM; NULL with ca_path NULL: the system's */
	const char *ca_path; /* directory of c_rehash */
	const char *client_cert;     /* PEM, with its chain */
	const char *client_key;      /* PEM; NULL: it is in client_cert */
	const char *tls_server_name; /* NULL: the host of the address */
	bool tls_no_verify;          /* believe any server: for tests only */

	unsigned connect_timeout_ms; /* one server; 0: 2,000 */
	unsigned timeout_ms;         /* one call, all tries of it; 0: 30,000 */
	size_t answer_max;           /* bytes of a body; 0: 64 MiB */
};

/*
 * A client, without talking to anybody yet. Free it with conclave_free.
 * CONCLAVE_INVALID (an address, a token with control characters), _NOMEM.
 */
CONCLAVE_CHECK enum conclave_err conclave_new(
    const struct conclave_options *options, struct conclave **out,
    struct conclave_error *error);

/* NULL is allowed. No call may be under way, no watch of it may be left. */
void conclave_free(struct conclave *client);

/*
 * End all calls and watches under way, and all later ones, with
 * CONCLAVE_CANCELED (a write that had been sent: CONCLAVE_UNKNOWN). It cannot
 * be undone. Any thread; not from a signal handler.
 */
void conclave_cancel(struct conclave *client);

/* -- any call ------------------------------------------------------------ */

/* Contract of reads: how fresh the answer must be. */
enum conclave_mode {
	CONCLAVE_DEFAULT,    /* what the leader has committed */
	CONCLAVE_CONSISTENT, /* same here; with Consul: confirmed by a quorum */
	CONCLAVE_STALE,      /* what the server has; works without a leader */
};

struct conclave_request {
	const char *method; /* NULL: "GET" */
	const char *path;   /* "/v1/...", escaped */
	const char *query;  /* "a=b&c", escaped, without '?'; or NULL */
	enum conclave_mode mode;
	const void *body; /* NULL: none */
	size_t body_size;

	uint64_t index;      /* > 0: answer once it is passed, see wait_ms */
	unsigned wait_ms;    /* with index; 0: 300,000; at most 600,000 */
	unsigned timeout_ms; /* besides wait_ms; 0: the client's */
	bool first_only;     /* the first server or none: leave, reload, ... */
};

struct conclave_answer {
	int status;
	const char *server; /* who answered; borrowed: the client's life */

	bool has_index;
	uint64_t index;           /* X-Consul-Index */
	bool known_leader;        /* X-Consul-KnownLeader; true if not sent */
	uint64_t last_contact_ms; /* X-Consul-LastContact; 0 if not sent */
	unsigned retry_after_s;   /* Retry-After; 0 if not sent */
	char etag[CONCLAVE_ETAG_SIZE]; /* "" if not sent or too long */

	char *body; /* NUL behind it; never NULL in an answer */
	size_t body_size;
};

/*
 * Send a request and wait for its answer, of whatever status: to have a 403
 * and its kind as an error, hand the answer to conclave_answer_check. On OK
 * the caller frees the answer; on error there is none.
 *
 * Reads move on to the next server also when one answers that it stops, or
 * that it knows no leader. Each gets an equal share of the time left; one that
 * blocks gets wait_ms, a 16th more, and timeout_ms.
 */
CONCLAVE_CHECK enum conclave_err conclave_call(struct conclave *client,
    const struct conclave_request *request, struct conclave_answer *answer,
    struct conclave_error *error);

/*
 * OK for a 200; else the code of the status, and as sentence "Unexpected
 * response code: 500 (No cluster leader)". The answer stays as it is.
 */
enum conclave_err conclave_answer_check(
    const struct conclave_answer *answer, struct conclave_error *error);

/* Wipe and free the body. An answer of all zeros, or NULL, is allowed. */
void conclave_answer_free(struct conclave_answer *answer);

/*
 * text with all but A-Z a-z 0-9 - . _ ~ escaped as %XX, for a path or query.
 * The caller frees it; NULL: out of memory. Any thread.
 */
char *conclave_escape(const char *text);

/* -- watches ------------------------------------------------------------- */

/* What a watch tells: an answer or an error. Borrowed: until cb returns. */
struct conclave_event {
	const struct conclave_answer *answer; /* status 200, or 404: none yet */
	const struct conclave_error *error;
	unsigned retry_ms; /* with error: the next try comes after this */
};

/* On the thread of conclave_watch_run; false ends the watch. It may call
 * anything but conclave_free and conclave_watch_free. */
typedef bool (*conclave_watch_cb)(
    void *arg, const struct conclave_event *event);

struct conclave_watch_options {
	const char *path; /* one of an object that blocks on index; copied */
	const char
	    *query; /* escaped, without index and wait, or NULL; copied */
	enum conclave_mode mode;
	unsigned wait_ms;     /* of each request; 0: 300,000 */
	unsigned interval_ms; /* 0: 500; see below */
};

#define CONCLAVE_PATH_ROOTS       "/v1/connect/ca/roots"
#define CONCLAVE_PATH_AGENT_ROOTS "/v1/agent/connect/ca/roots"

/*
 * A watch of one object. The callback sees the object as it is at first, then
 * after each change; changes that follow closely may be seen as one.
 *
 * It blocks on the index last seen. An index that goes back (a server was
 * restored) makes it start anew; an index of 0 is taken as 1. Two requests may
 * follow at once, then one each interval_ms. After an error it goes to the
 * next server, waits 500 ms, doubled each time up to 60 s, less a random part
 * of up to half, and not below the server's Retry-After.
 */
CONCLAVE_CHECK enum conclave_err conclave_watch_new(struct conclave *client,
    const struct conclave_watch_options *options, conclave_watch_cb cb,
    void *arg, struct conclave_watch **out, struct conclave_error *error);

/*
 * Run it on this thread until it ends: CONCLAVE_OK (the callback said false),
 * CONCLAVE_CANCELED, CONCLAVE_NOMEM. Once for each watch.
 */
CONCLAVE_CHECK enum conclave_err conclave_watch_run(
    struct conclave_watch *watch, struct conclave_error *error);

/* End it with CONCLAVE_CANCELED, before or while it runs. Any thread. */
void conclave_watch_stop(struct conclave_watch *watch);

/* Not while it runs. NULL is allowed. */
void conclave_watch_free(struct conclave_watch *watch);

/* -- CA: roots ----------------------------------------------------------- */

struct conclave_root {
	char *id; /* SHA-1 of the certificate, colon hex */
	char *name;
	uint64_t serial_number; /* its low 64 bits */
	char *signing_key_id;   /* colon hex; may be "" */
	char *external_trust_domain;
	char *not_before, *not_after; /* RFC 3339, UTC */
	char *root_cert;              /* PEM */
	char **intermediate_certs;    /* PEM, to send behind each leaf */
	size_t intermediate_count;
	bool active; /* signs; true for one of them */
	char *private_key_type;
	unsigned private_key_bits;
	uint64_t create_index, modify_index;
};

struct conclave_roots {
	char *active_root_id; /* "" before the CA is set up */
	char *trust_domain;
	struct conclave_root *roots;
	size_t count;
	uint64_t index; /* to watch from; 0 from conclave_roots_parse */
};

/* The roots now. On OK the caller frees them with conclave_roots_free. */
CONCLAVE_CHECK enum conclave_err conclave_roots_get(struct conclave *client,
    enum conclave_mode mode, struct conclave_roots *out,
    struct conclave_error *error);

/* The same from a body, as a watch delivers it. _MALFORMED, _NOMEM. */
CONCLAVE_CHECK enum conclave_err conclave_roots_parse(const char *body,
    size_t size, struct conclave_roots *out, struct conclave_error *error);

void conclave_roots_free(struct conclave_roots *roots);

/* -- CA: configuration --------------------------------------------------- */

/* It may hold a private key. */
struct conclave_ca_config {
	char *provider;
	char *config; /* JSON object, as stored */
	char *state;  /* JSON object, or "null" */
	bool force_without_cross_signing;
	uint64_t create_index, modify_index;
};

CONCLAVE_CHECK enum conclave_err conclave_ca_config_get(struct conclave *client,
    struct conclave_ca_config *out, struct conclave_error *error);

/* The same from a body or a file. _MALFORMED, _NOMEM. */
CONCLAVE_CHECK enum conclave_err conclave_ca_config_parse(const char *body,
    size_t size, struct conclave_ca_config *out, struct conclave_error *error);

/* Wipes. */
void conclave_ca_config_free(struct conclave_ca_config *config);

/*
 * Store provider, config and the flag of config; another key or provider
 * rotates the root. state: NULL, "null" or what the server has; nothing else
 * is taken. modify_index: 0 stores always, else only if the stored one has it
 * (CONCLAVE_CONFLICT). create_index is not looked at. Returns when it is done.
 */
CONCLAVE_CHECK enum conclave_err conclave_ca_config_set(struct conclave *client,
    const struct conclave_ca_config *config, struct conclave_error *error);

/* -- the cluster --------------------------------------------------------- */

enum conclave_member_status {
	CONCLAVE_MEMBER_NONE,
	CONCLAVE_MEMBER_ALIVE,
	CONCLAVE_MEMBER_LEAVING,
	CONCLAVE_MEMBER_LEFT,
	CONCLAVE_MEMBER_FAILED,
};

struct conclave_tag {
	char *name, *value;
};

struct conclave_member {
	char *name;
	char *addr; /* an IP address or name */
	unsigned port;
	enum conclave_member_status status;
	unsigned protocol;
	struct conclave_tag *tags; /* by name */
	size_t tag_count;
};

struct conclave_members {
	struct conclave_member *members;
	size_t count;
};

/* wan: those of other datacenters too. Free with conclave_members_free. */
CONCLAVE_CHECK enum conclave_err conclave_members_get(struct conclave *client,
    bool wan, struct conclave_members *out, struct conclave_error *error);
CONCLAVE_CHECK enum conclave_err conclave_members_parse(const char *body,
    size_t size, struct conclave_members *out, struct conclave_error *error);
void conclave_members_free(struct conclave_members *members);

/* The value of a tag, or NULL. Borrowed: as long as the member. */
const char *conclave_member_tag(
    const struct conclave_member *member, const char *name);

struct conclave_status {
	char *leader; /* host:port of its server port; "" if none is known */
	char **peers; /* likewise, all voters and standbys */
	size_t peer_count;
};

/* What a server believes; needs no leader. */
CONCLAVE_CHECK enum conclave_err conclave_status_get(struct conclave *client,
    struct conclave_status *out, struct conclave_error *error);
void conclave_status_free(struct conclave_status *status);

struct conclave_raft_server {
	char *id;   /* UUID */
	char *node; /* its name */
	char *address;
	char *protocol_version;
	bool leader, voter;
	uint64_t last_index; /* of its log; 0 if the server does not say */
};

struct conclave_raft {
	struct conclave_raft_server *servers;
	size_t count;
	uint64_t index; /* of the configuration, in the log */
};

CONCLAVE_CHECK enum conclave_err conclave_raft_get(struct conclave *client,
    enum conclave_mode mode, struct conclave_raft *out,
    struct conclave_error *error);
CONCLAVE_CHECK enum conclave_err conclave_raft_parse(const char *body,
    size_t size, struct conclave_raft *out, struct conclave_error *error);
void conclave_raft_free(struct conclave_raft *raft);

/* Hand leadership to the server with this id; NULL: to any other voter. */
CONCLAVE_CHECK enum conclave_err conclave_raft_transfer(
    struct conclave *client, const char *id, struct conclave_error *error);

/* Take a server out of the cluster: by id or by address, the other NULL. */
CONCLAVE_CHECK enum conclave_err conclave_raft_remove(struct conclave *client,
    const char *id, const char *address, struct conclave_error *error);

/* -- TLS configuration --------------------------------------------------- */

#define CONCLAVE_CAS_ANY UINT64_MAX /* store whatever is there */

struct conclave_tls_config {
	char *document; /* JSON object; its fields are in the server's manual */
	uint64_t create_index, modify_index;
	uint64_t index; /* to watch from */
};

/* CONCLAVE_NOTFOUND: the scope has none. */
CONCLAVE_CHECK enum conclave_err conclave_tls_config_get(
    struct conclave *client, const char *scope, enum conclave_mode mode,
    struct conclave_tls_config *out, struct conclave_error *error);
void conclave_tls_config_free(struct conclave_tls_config *config);

/*
 * cas           CONCLAVE_CAS_ANY; 0: only if there is none; else only over
 *               that modify_index. CONCLAVE_CONFLICT.
 * modify_index  out, on OK; or NULL.
 */
CONCLAVE_CHECK enum conclave_err conclave_tls_config_put(
    struct conclave *client, const char *scope, const char *document,
    uint64_t cas, uint64_t *modify_index, struct conclave_error *error);

/* OK also if there was none. cas as above. */
CONCLAVE_CHECK enum conclave_err conclave_tls_config_delete(
    struct conclave *client, const char *scope, uint64_t cas,
    struct conclave_error *error);

#ifdef __cplusplus
}
#endif

#endif
