/*
 * Goal: a message from a peer is refused or has only one form.
 * Method: what raftmsg_decode takes, raftmsg_encode must write as the same
 * bytes; snapshots go through snapshot_in_begin and snapshot_in_add.
 */
#include <stdlib.h>
#include <string.h>

#include "server/cluster/raftmsg.h"
#include "server/cluster/snapshot_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a snapshot's head, with a claim of at most 64 KiB, and one piece. */
static void
as_snapshot(const uint8_t *data, size_t size)
{
	struct snapshot_in in;
	struct raft_message message;
	struct errmsg why;
	bool done;

	memset(&in, 0, sizeof(in));
	if (size < 8 || memcmp(data + size - 8, "\0\0\0\0\0\0", 6) != 0)
		return;
	if (snapshot_in_begin(&in, data, size, &why) == OK &&
	    snapshot_in_add(&in, data, size, &done, &message, &why) == OK &&
	    done)
		raftmsg_free(&message);
	snapshot_in_discard(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_new(32u << 20);
	struct raft_message message;
	struct errmsg why;

	if (raftmsg_decode(data, size, &message, &why) == OK) {
		raftmsg_encode(&message, &out);
		if (buf_status(&out, NULL) != OK || out.size != size ||
		    memcmp(out.data, data, size) != 0)
			abort();
		raftmsg_free(&message);
	}
	buf_free(&out);
	as_snapshot(data, size);
	return 0;
}
