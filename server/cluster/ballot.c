#include "server/cluster/ballot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "storage/buf.h"
#include "storage/file.h"

#define SLOT_SIZE       512 /* a sector: written whole or not at all */
#define SLOTS           2
#define RECORD_SIZE     (8 + 3 * 8 + SHA256_DIGEST_LENGTH)
#define BALLOT_PATH_MAX 4096

static const char magic[8] = {'C', 'B', 'A', 'L', 'L', 'O', 'T', '1'};

static_assert(RECORD_SIZE <= SLOT_SIZE, "a record fills at most one slot");

/* 8 bytes magic, u64 sequence, u64 term, u64 vote, SHA-256 over these; the
 * rest of the slot is zero. */
static enum err
slot_encode(uint8_t out[static SLOT_SIZE], uint64_t sequence, uint64_t term,
    uint64_t vote, struct errmsg *why)
{
	struct buf record = buf_new(SLOT_SIZE);
	uint8_t hash[SHA256_DIGEST_LENGTH];
	enum err rc;

	buf_raw(&record, magic, sizeof(magic));
	buf_u64(&record, sequence);
	buf_u64(&record, term);
	buf_u64(&record, vote);
	rc = buf_status(&record, why);
	if (rc == OK) {
		SHA256(record.data, record.size, hash);
		buf_raw(&record, hash, sizeof(hash));
		rc = buf_status(&record, why);
	}
	if (rc == OK) {
		memset(out, 0, SLOT_SIZE);
		memcpy(out, record.data, record.size);
	}
	buf_free(&record);
	return rc;
}

static bool
slot_decode(const uint8_t in[static SLOT_SIZE], struct ballot *out)
{
	struct reader fields = {in + sizeof(magic), 3 * 8};
	uint8_t hash[SHA256_DIGEST_LENGTH];

	if (memcmp(in, magic, sizeof(magic)) != 0)
		return false;
	SHA256(in, RECORD_SIZE - sizeof(hash), hash);
	if (memcmp(in + RECORD_SIZE - sizeof(hash), hash, sizeof(hash)) != 0)
		return false;
	return read_u64(&fields, &out->sequence) &&
	    read_u64(&fields, &out->term) && read_u64(&fields, &out->vote);
}

static enum err
create(const char *path, struct errmsg *why)
{
	uint8_t slots[SLOTS * SLOT_SIZE] = {0};
	enum err rc;

	rc = slot_encode(slots, 0, 0, 0, why);
	if (rc != OK)
		return rc;
	return file_write(path, slots, sizeof(slots), why);
}

/* The newest record that checks. One bad slot is a torn write of a vote that
 * was never used, because ballot_store had not returned. */
static enum err
load(const char *path, int fd, struct ballot *out, struct errmsg *why)
{
	uint8_t slots[SLOTS * SLOT_SIZE];
	bool found = false;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return err_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	if (st.st_size != sizeof(slots)) {
		return err_set(why, ERR_CORRUPT, "%s has %jd bytes, want %zu",
		    path, (intmax_t)st.st_size, sizeof(slots));
	}
	n = pread(fd, slots, sizeof(slots), 0);
	if (n != sizeof(slots)) {
		return err_set(why, ERR_IO, "read %s: %s", path,
		    n < 0 ? strerror(errno) : "cut short");
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		struct ballot one = {.fd = fd};

		if (!slot_decode(slots + i * SLOT_SIZE, &one) ||
		    one.sequence % SLOTS != i)
			continue;
		if (!found || one.sequence > out->sequence)
			*out = one;
		found = true;
	}
	if (!found) {
		return err_set(why, ERR_CORRUPT,
		    "%s: neither of its two records checks, term and vote are "
		    "unknown",
		    path);
	}
	return OK;
}

enum err
ballot_open(const char *dir, struct ballot *out, struct errmsg *why)
{
	struct ballot ballot = {.fd = -1};
	char path[BALLOT_PATH_MAX];
	enum err rc;
	int n, fd;

	n = snprintf(path, sizeof(path), "%s/ballot", dir);
	if (n < 0 || n >= BALLOT_PATH_MAX)
		return err_set(why, ERR_LIMIT, "path %s is too long", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		rc = create(path, why);
		if (rc != OK)
			return rc;
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	rc = load(path, fd, &ballot, why);
	if (rc != OK) {
		close(fd);
		return rc;
	}
	*out = ballot;
	return OK;
}

enum err
ballot_store(
    struct ballot *ballot, uint64_t term, uint64_t vote, struct errmsg *why)
{
	uint64_t sequence = ballot->sequence + 1;
	uint8_t slot[SLOT_SIZE];
	ssize_t n;
	enum err rc;

	assert(ballot->fd >= 0);
	assert(term >= ballot->term);
	rc = slot_encode(slot, sequence, term, vote, why);
	if (rc != OK)
		return rc;
	do {
		n = pwrite(ballot->fd, slot, sizeof(slot),
		    (off_t)(sequence % SLOTS * SLOT_SIZE));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(slot)) {
		return err_set(why,
		    n < 0 && (errno == ENOSPC || errno == EDQUOT) ? ERR_FULL
								  : ERR_IO,
		    "write of term %" PRIu64 " to the ballot: %s", term,
		    n < 0 ? strerror(errno) : "cut short");
	}
	if (fdatasync(ballot->fd) != 0) {
		return err_set(why, ERR_IO,
		    "sync of term %" PRIu64 " in the ballot: %s", term,
		    strerror(errno));
	}
	ballot->sequence = sequence;
	ballot->term = term;
	ballot->vote = vote;
	return OK;
}

enum err
ballot_judge(const struct ballot *ballot, uint64_t term, uint64_t vote,
    struct errmsg *why)
{
	if (ballot->term > term)
		return OK;
	if (ballot->term == term && (vote == 0 || ballot->vote == vote))
		return OK;
	return err_set(why, ERR_CORRUPT,
	    "libraft's metadata says term %" PRIu64 ", vote %" PRIu64
	    " and our ballot, which is always written first, term %" PRIu64
	    ", vote %" PRIu64,
	    term, vote, ballot->term, ballot->vote);
}

void
ballot_close(struct ballot *ballot)
{
	if (ballot->fd >= 0)
		close(ballot->fd);
	ballot->fd = -1;
}
