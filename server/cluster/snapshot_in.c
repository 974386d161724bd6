#include "server/cluster/snapshot_in.h"

#include <inttypes.h>
#include <string.h>

#include "server/cluster/raftmsg.h"
#include "storage/image.h"

#define SIZE_SIZE 8 /* u64 at the end of the BEGIN frame */

enum err
snapshot_in_begin(struct snapshot_in *in, const uint8_t *data, size_t size,
    struct errmsg *why)
{
	struct raft_message message;
	struct reader tail;
	uint64_t total;
	enum err rc;

	snapshot_in_discard(in);
	if (size < SIZE_SIZE)
		return err_set(why, ERR_CORRUPT, "snapshot head is cut short");
	tail = (struct reader){data + size - SIZE_SIZE, SIZE_SIZE};
	if (!read_u64(&tail, &total) || total == 0 || total > IMAGE_SIZE_MAX) {
		return err_set(why, ERR_LIMIT,
		    "snapshot of %" PRIu64 " bytes, limit %" PRIu64, total,
		    IMAGE_SIZE_MAX);
	}
	rc = raftmsg_decode(data, size - SIZE_SIZE, &message, why);
	if (rc != OK)
		return rc;
	if (message.type != RAFT_INSTALL_SNAPSHOT) {
		raftmsg_free(&message);
		return err_set(why, ERR_CORRUPT,
		    "snapshot head holds a raft message of type %d",
		    (int)message.type);
	}
	message.install_snapshot.data.base = raft_malloc((size_t)total);
	message.install_snapshot.data.len = (size_t)total;
	if (message.install_snapshot.data.base == NULL) {
		raftmsg_free(&message);
		return err_set(why, ERR_NOMEM,
		    "no memory for a snapshot of %" PRIu64 " bytes", total);
	}
	in->message = message;
	in->got = 0;
	in->active = true;
	return OK;
}

enum err
snapshot_in_add(struct snapshot_in *in, const uint8_t *data, size_t size,
    bool *done, struct raft_message *out, struct errmsg *why)
{
	struct raft_buffer *block = &in->message.install_snapshot.data;

	*done = false;
	if (!in->active) {
		return err_set(why, ERR_PROTOCOL,
		    "snapshot data without the head before it");
	}
	if (size == 0 || size > block->len - in->got) {
		return err_set(why, ERR_PROTOCOL,
		    "snapshot piece of %zu bytes where %zu are missing", size,
		    block->len - in->got);
	}
	memcpy((uint8_t *)block->base + in->got, data, size);
	in->got += size;
	if (in->got == block->len) {
		*out = in->message;
		memset(in, 0, sizeof(*in)); /* moved */
		*done = true;
	}
	return OK;
}

void
snapshot_in_discard(struct snapshot_in *in)
{
	if (in->active)
		raftmsg_free(&in->message);
	memset(in, 0, sizeof(*in));
}
