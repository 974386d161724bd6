#include "server/cluster/raftmsg.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_HEAD_SIZE (8 + 1 + 4)
#define ADDRESS_MAX     255

unsigned
raftmsg_fitting(const struct raft_entry *entries, unsigned n)
{
	size_t total = 64; /* more than the fixed fields take */
	unsigned i;

	for (i = 0; i < n; i++) {
		total += ENTRY_HEAD_SIZE + entries[i].buf.len;
		if (i > 0 &&
		    (total > RAFTMSG_APPEND_MAX ||
			entries[i].type == RAFT_CHANGE))
			break;
	}
	return i;
}

static void
configuration_encode(const struct raft_configuration *conf, struct buf *out)
{
	buf_u32(out, conf->n);
	for (unsigned i = 0; i < conf->n; i++) {
		buf_u64(out, conf->servers[i].id);
		buf_u8(out, (uint8_t)conf->servers[i].role);
		buf_text(out, conf->servers[i].address);
	}
}

static void
append_encode(const struct raft_append_entries *m, struct buf *out)
{
	buf_u64(out, m->term);
	buf_u64(out, m->prev_log_index);
	buf_u64(out, m->prev_log_term);
	buf_u64(out, m->leader_commit);
	buf_u32(out, m->n_entries);
	for (unsigned i = 0; i < m->n_entries; i++) {
		buf_u64(out, m->entries[i].term);
		buf_u8(out, (uint8_t)m->entries[i].type);
		buf_bytes(out, m->entries[i].buf.base, m->entries[i].buf.len);
	}
}

static void
vote_encode(const struct raft_request_vote *m, struct buf *out)
{
	buf_u64(out, m->term);
	buf_u64(out, m->candidate_id);
	buf_u64(out, m->last_log_index);
	buf_u64(out, m->last_log_term);
	buf_u8(out, m->disrupt_leader);
	buf_u8(out, m->pre_vote);
}

static void
install_encode(const struct raft_install_snapshot *m, struct buf *out)
{
	buf_u64(out, m->term);
	buf_u64(out, m->last_index);
	buf_u64(out, m->last_term);
	configuration_encode(&m->conf, out);
	buf_u64(out, m->conf_index);
}

void
raftmsg_encode(const struct raft_message *message, struct buf *out)
{
	const struct raft_append_entries_result *appended;
	const struct raft_request_vote_result *voted;
	const struct raft_timeout_now *timeout;

	/* Every one of the structs begins with its version. */
	buf_u8(out, (uint8_t)message->type);
	switch (message->type) {
	case RAFT_APPEND_ENTRIES:
		buf_u8(out, message->append_entries.version);
		append_encode(&message->append_entries, out);
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		appended = &message->append_entries_result;
		buf_u8(out, appended->version);
		buf_u64(out, appended->term);
		buf_u64(out, appended->rejected);
		buf_u64(out, appended->last_log_index);
		buf_u16(out, appended->features);
		buf_u16(out, appended->capacity);
		break;
	case RAFT_REQUEST_VOTE:
		buf_u8(out, message->request_vote.version);
		vote_encode(&message->request_vote, out);
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		voted = &message->request_vote_result;
		buf_u8(out, voted->version);
		buf_u64(out, voted->term);
		buf_u8(out, voted->vote_granted);
		buf_u8(out, voted->pre_vote);
		buf_u16(out, voted->features);
		buf_u16(out, voted->capacity);
		break;
	case RAFT_INSTALL_SNAPSHOT:
		buf_u8(out, message->install_snapshot.version);
		install_encode(&message->install_snapshot, out);
		break;
	case RAFT_TIMEOUT_NOW:
		timeout = &message->timeout_now;
		buf_u8(out, timeout->version);
		buf_u64(out, timeout->term);
		buf_u64(out, timeout->last_log_index);
		buf_u64(out, timeout->last_log_term);
		break;
	}
}

static bool
read_flag(struct reader *in, bool *out)
{
	uint8_t value;

	if (!read_u8(in, &value) || value > 1)
		return false;
	*out = value == 1;
	return true;
}

static uint64_t
little_u64(const uint8_t *data)
{
	uint64_t value = 0;

	for (unsigned i = 8; i-- > 0;)
		value = value << 8 | data[i];
	return value;
}

/*
 * libraft decodes the payload of a configuration entry when it arrives, and
 * trusts its lengths: u8 format (1), u64 count (little-endian), each u64 id,
 * C string, u8 role; then padding.
 */
static bool
change_is_whole(const uint8_t *data, size_t size)
{
	struct reader in = {data, size};
	const uint8_t *nul;
	uint64_t count, id;
	uint8_t format, role, raw[8];

	if (!read_u8(&in, &format) || format != 1 ||
	    !read_raw(&in, raw, sizeof(raw)))
		return false;
	count = little_u64(raw);
	if (count == 0 || count > RAFTMSG_SERVERS_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		if (!read_u64(&in, &id) || id == 0 || in.size == 0)
			return false;
		nul = memchr(in.data, '\0', in.size);
		if (nul == NULL)
			return false;
		in.size -= (size_t)(nul + 1 - in.data);
		in.data = nul + 1;
		if (!read_u8(&in, &role) || role > RAFT_SPARE)
			return false;
	}
	return true;
}

/* One entry's head; its bytes are borrowed from the input. */
static bool
entry_decode(struct reader *in, raft_term at_most, struct raft_entry *entry,
    const uint8_t **data)
{
	uint8_t type;
	size_t size;
	uint64_t term;

	if (!read_u64(in, &term) || term == 0 || term > at_most ||
	    !read_u8(in, &type) || type < RAFT_COMMAND || type > RAFT_CHANGE ||
	    !read_bytes(in, RAFTMSG_APPEND_MAX, data, &size) || size % 8 != 0)
		return false;
	if (type == RAFT_CHANGE && !change_is_whole(*data, size))
		return false;
	entry->term = term;
	entry->type = (enum raft_entry_type)type;
	entry->buf.len = size;
	return true;
}

/* Look over n entries without keeping them; *total is their payload. */
static bool
entries_measure(struct reader in, raft_term term, uint32_t n, size_t *total)
{
	struct raft_entry entry;
	const uint8_t *data;
	raft_term last = 0;

	*total = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!entry_decode(&in, term, &entry, &data) ||
		    entry.term < last)
			return false;
		last = entry.term;
		*total += entry.buf.len;
	}
	return in.size == 0;
}

static enum err
entries_decode(struct reader *in, struct raft_append_entries *m, uint32_t n)
{
	struct raft_entry *entries;
	const uint8_t *data;
	uint8_t *batch;
	size_t total, offset = 0;

	if (n > in->size / ENTRY_HEAD_SIZE ||
	    !entries_measure(*in, m->term, n, &total))
		return ERR_CORRUPT;
	if (n == 0)
		return OK;
	entries = raft_calloc(n, sizeof(*entries));
	/* libraft frees a batch by its address: one must exist even when all
	 * entries are empty. */
	batch = raft_malloc(total > 0 ? total : 8);
	if (entries == NULL || batch == NULL) {
		raft_free(entries);
		raft_free(batch);
		return ERR_NOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!entry_decode(in, m->term, &entries[i], &data)) {
			raft_free(entries);
			raft_free(batch);
			return ERR_CORRUPT;
		}
		entries[i].batch = batch;
		if (entries[i].buf.len == 0)
			continue;
		entries[i].buf.base = batch + offset;
		memcpy(batch + offset, data, entries[i].buf.len);
		offset += entries[i].buf.len;
	}
	m->entries = entries;
	m->n_entries = n;
	return OK;
}

static enum err
append_decode(struct reader *in, struct raft_append_entries *m)
{
	uint64_t term, index, index_term, commit;
	uint32_t n;

	if (!read_u8(in, &m->version) || !read_u64(in, &term) ||
	    !read_u64(in, &index) || !read_u64(in, &index_term) ||
	    !read_u64(in, &commit) || !read_u32(in, &n) ||
	    index > UINT64_MAX - n)
		return ERR_CORRUPT;
	m->term = term;
	m->prev_log_index = index;
	m->prev_log_term = index_term;
	m->leader_commit = commit;
	return entries_decode(in, m, n);
}

static enum err
configuration_decode(struct reader *in, struct raft_configuration *conf)
{
	char address[ADDRESS_MAX + 1];
	const uint8_t *data;
	size_t size;
	uint64_t id;
	uint32_t n;
	uint8_t role;
	int rv;

	raft_configuration_init(conf);
	if (!read_u32(in, &n) || n == 0 || n > RAFTMSG_SERVERS_MAX)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < n; i++) {
		if (!read_u64(in, &id) || id == 0 || !read_u8(in, &role) ||
		    !read_bytes(in, ADDRESS_MAX, &data, &size) ||
		    (size > 0 && memchr(data, '\0', size) != NULL))
			goto corrupt;
		if (size > 0)
			memcpy(address, data, size);
		address[size] = '\0';
		rv = raft_configuration_add(conf, id, address, role);
		if (rv == RAFT_NOMEM) {
			raft_configuration_close(conf);
			return ERR_NOMEM;
		}
		if (rv != 0)
			goto corrupt;
	}
	return OK;
corrupt:
	raft_configuration_close(conf);
	return ERR_CORRUPT;
}

static enum err
install_decode(struct reader *in, struct raft_install_snapshot *m)
{
	uint64_t term, index, index_term, conf_index;
	enum err rc;

	if (!read_u8(in, &m->version) || !read_u64(in, &term) ||
	    !read_u64(in, &index) || !read_u64(in, &index_term))
		return ERR_CORRUPT;
	m->term = term;
	m->last_index = index;
	m->last_term = index_term;
	rc = configuration_decode(in, &m->conf);
	if (rc != OK)
		return rc;
	if (!read_u64(in, &conf_index) || in->size != 0) {
		raft_configuration_close(&m->conf);
		return ERR_CORRUPT;
	}
	m->conf_index = conf_index;
	return OK;
}

static bool
vote_decode(struct reader *in, struct raft_request_vote *m)
{
	uint64_t term, candidate, index, index_term;

	if (!read_u8(in, &m->version) || !read_u64(in, &term) ||
	    !read_u64(in, &candidate) || !read_u64(in, &index) ||
	    !read_u64(in, &index_term) || !read_flag(in, &m->disrupt_leader) ||
	    !read_flag(in, &m->pre_vote))
		return false;
	m->term = term;
	m->candidate_id = candidate;
	m->last_log_index = index;
	m->last_log_term = index_term;
	return true;
}

static bool
vote_result_decode(struct reader *in, struct raft_request_vote_result *m)
{
	uint64_t term;

	if (!read_u8(in, &m->version) || !read_u64(in, &term) ||
	    !read_flag(in, &m->vote_granted) || !read_flag(in, &m->pre_vote) ||
	    !read_u16(in, &m->features) || !read_u16(in, &m->capacity))
		return false;
	m->term = term;
	return true;
}

static bool
append_result_decode(struct reader *in, struct raft_append_entries_result *m)
{
	uint64_t term, rejected, index;

	if (!read_u8(in, &m->version) || !read_u64(in, &term) ||
	    !read_u64(in, &rejected) || !read_u64(in, &index) ||
	    !read_u16(in, &m->features) || !read_u16(in, &m->capacity))
		return false;
	m->term = term;
	m->rejected = rejected;
	m->last_log_index = index;
	return true;
}

static bool
timeout_decode(struct reader *in, struct raft_timeout_now *m)
{
	uint64_t term, index, index_term;

	if (!read_u8(in, &m->version) || !read_u64(in, &term) ||
	    !read_u64(in, &index) || !read_u64(in, &index_term))
		return false;
	m->term = term;
	m->last_log_index = index;
	m->last_log_term = index_term;
	return true;
}

enum err
raftmsg_decode(const uint8_t *data, size_t size, struct raft_message *out,
    struct errmsg *why)
{
	struct reader in = {data, size};
	struct raft_message m;
	bool whole = false;
	uint8_t type;
	enum err rc = OK;

	memset(&m, 0, sizeof(m));
	if (!read_u8(&in, &type))
		return err_set(why, ERR_CORRUPT, "empty raft message");
	switch (type) {
	case RAFT_APPEND_ENTRIES:
		rc = append_decode(&in, &m.append_entries);
		whole = rc == OK;
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		whole = append_result_decode(&in, &m.append_entries_result);
		break;
	case RAFT_REQUEST_VOTE:
		whole = vote_decode(&in, &m.request_vote);
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		whole = vote_result_decode(&in, &m.request_vote_result);
		break;
	case RAFT_INSTALL_SNAPSHOT:
		rc = install_decode(&in, &m.install_snapshot);
		whole = rc == OK;
		break;
	case RAFT_TIMEOUT_NOW:
		whole = timeout_decode(&in, &m.timeout_now);
		break;
	default:
		return err_set(
		    why, ERR_CORRUPT, "unknown raft message type %u", type);
	}
	if (rc == ERR_NOMEM)
		return err_set(why, ERR_NOMEM, "out of memory");
	if (!whole || in.size != 0) {
		return err_set(why, ERR_CORRUPT,
		    "raft message of type %u is cut short or damaged", type);
	}
	m.type = (enum raft_message_type)type;
	*out = m;
	return OK;
}

void
raftmsg_free(struct raft_message *message)
{
	struct raft_append_entries *append = &message->append_entries;
	struct raft_install_snapshot *install = &message->install_snapshot;

	switch (message->type) {
	case RAFT_APPEND_ENTRIES:
		if (append->n_entries > 0)
			raft_free(append->entries[0].batch);
		raft_free(append->entries);
		append->entries = NULL;
		append->n_entries = 0;
		break;
	case RAFT_INSTALL_SNAPSHOT:
		raft_configuration_close(&install->conf);
		raft_configuration_init(&install->conf);
		raft_free(install->data.base);
		install->data.base = NULL;
		install->data.len = 0;
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
	case RAFT_REQUEST_VOTE:
	case RAFT_REQUEST_VOTE_RESULT:
	case RAFT_TIMEOUT_NOW:
		break;
	}
}
