#include "server/cluster/disk.h"

#include <stdlib.h>
#include <uv.h>

#include "server/log.h"
#include "server/loop.h"

struct disk {
	uv_fs_t req;
	uv_loop_t *loop;
	const char *path;
	bool looking, low, closed;
};

enum err
disk_new(
    struct loop *loop, const char *path, struct disk **out, struct errmsg *why)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*d = (struct disk){.loop = loop_uv(loop), .path = path};
	*out = d;
	return OK;
}

static void
looked(uv_fs_t *req)
{
	struct disk *d = CONTAINER_OF(req, struct disk, req);
	const uv_statfs_t *fs = req->ptr;
	bool low = d->low;

	if (req->result == 0 && fs != NULL)
		low = (uint64_t)fs->f_bavail * (uint64_t)fs->f_bsize <
		    DISK_LOW_BYTES;
	if (low != d->low)
		log_event(low ? LOG_ERROR : LOG_INFO, "server",
		    low ? "low on disk space: path=%s limit_bytes=%llu"
			: "disk space is back: path=%s limit_bytes=%llu",
		    d->path, DISK_LOW_BYTES);
	d->low = low;
	d->looking = false;
	uv_fs_req_cleanup(req);
	if (d->closed)
		free(d);
}

void
disk_look(struct disk *d)
{
	if (d->looking)
		return;
	d->looking = uv_fs_statfs(d->loop, &d->req, d->path, looked) == 0;
}

bool
disk_low(const struct disk *d)
{
	return d->low;
}

void
disk_close(struct disk *d)
{
	if (d == NULL)
		return;
	d->closed = true;
	if (!d->looking)
		free(d);
}
