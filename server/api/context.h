/*
 * context - what one client loop's API keeps: the insides of struct api.
 *
 * For server/api only. Client loop.
 */
#ifndef SERVER_API_CONTEXT_H
#define SERVER_API_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/api/api.h"

struct cache;
struct gate;
struct zip;

struct api {
	struct api_server server; /* a copy; what it points to is borrowed */
	struct loop *loop;
	struct watch *watch;
	struct cache *cache;
	struct zip *zip;
	struct gate *gate;
	uint64_t random;  /* state of api_random */
	unsigned pending; /* requests under way elsewhere, see api_hold */
	bool stopping, closing;
	void (*done)(void *arg);
	void *done_arg;
};

/* A callback is owed to us by the node: api_stop waits for its release. */
void api_hold(struct api *api);
void api_release(struct api *api);

/* 64 bits that differ from server to server; not for secrets. */
uint64_t api_random(struct api *api);

#endif
