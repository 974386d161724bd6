#include "server/cluster/hello.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "server/version.h"

void
hello_encode(const struct hello *hello, struct buf *out)
{
	assert(hello->known_count <= HELLO_KNOWN_MAX);
	buf_u32(out, hello->wire);
	buf_u8(out, hello->bulk);
	buf_u8(out, (uint8_t)hello->state);
	buf_u32(out, hello->expect);
	buf_u64(out, hello->id);
	buf_u64(out, hello->start);
	buf_u64(out, hello->instance);
	buf_u64(out, hello->acked_id);
	buf_u64(out, hello->acked_term);
	buf_u64(out, hello->acked_index);
	buf_text(out, hello->cluster_id);
	buf_text(out, hello->node_id);
	buf_text(out, hello->name);
	buf_text(out, hello->datacenter);
	buf_text(out, hello->address);
	buf_text(out, hello->version);
	buf_u32(out, hello->known_count);
	for (unsigned i = 0; i < hello->known_count; i++) {
		buf_u64(out, hello->known[i].id);
		buf_text(out, hello->known[i].address);
	}
}

/* A text without control bytes that fits into out with its NUL: these end up
 * in logs and answers. */
static bool
text_decode(struct reader *in, char *out, size_t capacity)
{
	const uint8_t *data;
	size_t size;

	if (!read_bytes(in, capacity - 1, &data, &size))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (data[i] < 0x20 || data[i] == 0x7f)
			return false;
	}
	if (size > 0)
		memcpy(out, data, size);
	out[size] = '\0';
	return true;
}

static bool
numbers_decode(struct reader *in, struct hello *hello)
{
	uint8_t bulk, state;

	if (!read_u8(in, &bulk) || bulk > 1 || !read_u8(in, &state) ||
	    state > HELLO_MEMBER)
		return false;
	hello->bulk = bulk == 1;
	hello->state = (enum hello_state)state;
	return read_u32(in, &hello->expect) && read_u64(in, &hello->id) &&
	    hello->id != 0 && read_u64(in, &hello->start) &&
	    read_u64(in, &hello->instance) && read_u64(in, &hello->acked_id) &&
	    read_u64(in, &hello->acked_term) &&
	    read_u64(in, &hello->acked_index);
}

static bool
texts_decode(struct reader *in, struct hello *hello)
{
	return text_decode(in, hello->cluster_id, sizeof(hello->cluster_id)) &&
	    text_decode(in, hello->node_id, sizeof(hello->node_id)) &&
	    text_decode(in, hello->name, sizeof(hello->name)) &&
	    text_decode(in, hello->datacenter, sizeof(hello->datacenter)) &&
	    text_decode(in, hello->address, sizeof(hello->address)) &&
	    text_decode(in, hello->version, sizeof(hello->version));
}

static bool
known_decode(struct reader *in, struct hello *hello)
{
	if (!read_u32(in, &hello->known_count) ||
	    hello->known_count > HELLO_KNOWN_MAX)
		return false;
	for (unsigned i = 0; i < hello->known_count; i++) {
		if (!read_u64(in, &hello->known[i].id) ||
		    !text_decode(in, hello->known[i].address,
			sizeof(hello->known[i].address)))
			return false;
	}
	return true;
}

enum err
hello_decode(
    const uint8_t *data, size_t size, struct hello *out, struct errmsg *why)
{
	struct reader in = {data, size};
	struct hello hello;

	memset(&hello, 0, sizeof(hello));
	if (!read_u32(&in, &hello.wire))
		return err_set(why, ERR_CORRUPT, "hello is cut short");
	/* A newer wire may have other fields: judge the number alone. */
	if (hello.wire > CONCLAVE_WIRE) {
		return err_set(why, ERR_UNSUPPORTED,
		    "peer speaks server RPC version %" PRIu32
		    ", this server speaks %d",
		    hello.wire, CONCLAVE_WIRE);
	}
	if (hello.wire == 0)
		return err_set(why, ERR_CORRUPT, "hello has wire version 0");
	if (!numbers_decode(&in, &hello) || !texts_decode(&in, &hello) ||
	    !known_decode(&in, &hello))
		return err_set(
		    why, ERR_CORRUPT, "hello is cut short or damaged");
	if (in.size != 0) {
		return err_set(why, ERR_CORRUPT,
		    "%zu bytes follow the last field of a hello", in.size);
	}
	*out = hello;
	return OK;
}

enum err
hello_judge(const struct hello *ours, const struct hello *theirs,
    uint64_t seen_start, uint64_t seen_instance, struct errmsg *why)
{
	if (theirs->id == ours->id && theirs->instance == ours->instance)
		return err_set(why, ERR_EXISTS, "this is the same process");
	if (theirs->id == ours->id) {
		return err_set(why, ERR_DENIED,
		    "second instance of server %" PRIu64 " (\"%s\" at %s): "
		    "two data directories carry the same identity",
		    theirs->id, theirs->name, theirs->address);
	}
	if (strcmp(theirs->datacenter, ours->datacenter) != 0) {
		return err_set(why, ERR_DENIED,
		    "server \"%s\" is of datacenter \"%s\", this one of \"%s\"",
		    theirs->name, theirs->datacenter, ours->datacenter);
	}
	if (theirs->cluster_id[0] != '\0' && ours->cluster_id[0] != '\0' &&
	    strcmp(theirs->cluster_id, ours->cluster_id) != 0) {
		return err_set(why, ERR_DENIED,
		    "server \"%s\" is of cluster %s, this one of %s",
		    theirs->name, theirs->cluster_id, ours->cluster_id);
	}
	if (seen_instance != 0 && theirs->instance != seen_instance &&
	    theirs->start <= seen_start) {
		return err_set(why, ERR_DENIED,
		    "second instance of server %" PRIu64 " (\"%s\" at %s): "
		    "its start counter is %" PRIu64 ", %" PRIu64
		    " has been seen",
		    theirs->id, theirs->name, theirs->address, theirs->start,
		    seen_start);
	}
	return OK;
}
