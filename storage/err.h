/*
 * err - the one error vocabulary of the whole program.
 *
 * Every outside library's codes (libuv's negative numbers, libraft's positive
 * ones, LMDB's mix, OpenSSL's 1/0) are translated into these in the one file
 * that includes that library, so two vocabularies never meet in a variable.
 * Any thread. Includes nothing of ours.
 */
#ifndef STORAGE_ERR_H
#define STORAGE_ERR_H

#include <stddef.h>

#define MUST_CHECK    __attribute__((warn_unused_result))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member)                                          \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

#define ERRMSG_SIZE 384 /* bytes, NUL included; longer sentences are cut */

/* The numbers travel between servers and are stored: append, never renumber. */
enum err {
	OK = 0,
	ERR_NOMEM = 1,        /* out of memory */
	ERR_INVALID = 2,      /* a value breaks its rule */
	ERR_EXISTS = 3,       /* already there */
	ERR_NOTFOUND = 4,     /* not there */
	ERR_LIMIT = 5,        /* a stated limit is reached */
	ERR_CONFLICT = 6,     /* compare-and-set or expected phase mismatch */
	ERR_CORRUPT = 7,      /* bytes from disk, log or wire are damaged */
	ERR_IO = 8,           /* the operating system refused */
	ERR_FULL = 9,         /* quota or disk exhausted */
	ERR_BUSY = 10,        /* a bounded queue is full, try again */
	ERR_NOTLEADER = 11,   /* surely not applied; ask the leader */
	ERR_NOLEADER = 12,    /* nobody leads, surely not applied */
	ERR_UNKNOWN = 13,     /* may or may not yet be applied */
	ERR_TIMEOUT = 14,     /* the deadline passed */
	ERR_CLOSED = 15,      /* the other side is gone, or we are stopping */
	ERR_DENIED = 16,      /* the right is missing */
	ERR_PROTOCOL = 17,    /* the peer broke the protocol */
	ERR_UNSUPPORTED = 18, /* a version or feature we do not have */
	ERR_INTERNAL = 19,    /* a fault of ours, reported instead of hidden */
	ERR_BADSTATE = 20,    /* not allowed in the present state; the shorter
				 name is a type of OpenSSL's */
	ERR_REMOVED = 21      /* this server is no member any more */
};

/* One sentence for the operator; owned by the caller, one per request. */
struct errmsg {
	char text[ERRMSG_SIZE];
};

/*
 * Format the sentence into why (NULL is allowed) and return code, so that a
 * refusal is one line: return err_set(&why, ERR_LIMIT, "...", n);
 */
enum err err_set(struct errmsg *why, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* sees one file at a time, may take code for OK */
#define err_set(why, code, ...) (err_set(why, code, __VA_ARGS__), (code))
#endif

/* A short constant name such as "out of memory", for logs. Never NULL. */
const char *err_text(enum err code);

/*
 * Print to stderr and end the process without a core file: for the few
 * failures after which going on would break a promise (a vote not stored).
 */
_Noreturn void err_die(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
