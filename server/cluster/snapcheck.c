#include "server/cluster/snapcheck.h"

#include <stdlib.h>

#include "server/cluster/raftdir.h"
#include "storage/image.h"

/* The one that libraft will load; NULL if there is none. */
static const struct raftdir_file *
newest(const struct raftdir_list *list)
{
	for (size_t i = list->count; i > 0; i--) {
		const struct raftdir_file *file = &list->files[i - 1];

		if (file->has_meta && file->has_data)
			return file;
	}
	return NULL;
}

static enum err
check(const struct raftdir *dir, const char *name, struct errmsg *why)
{
	struct image_head head;
	struct errmsg reason;
	uint8_t *data = NULL;
	size_t size = 0;
	enum err rc;

	rc = raftdir_read(dir, name, IMAGE_SIZE_MAX, &data, &size, why);
	if (rc != OK)
		return rc;
	rc = image_verify(data, size, &head, &reason);
	if (rc != OK)
		(void)err_set(
		    why, rc, "%s/%s: %s", dir->path, name, reason.text);
	free(data);
	return rc;
}

enum err
snapcheck(const char *raft_dir, struct errmsg *why)
{
	const struct raftdir_file *file;
	struct raftdir dir;
	enum err rc;

	rc = raftdir_list(raft_dir, &dir, why);
	if (rc != OK)
		return rc;
	file = newest(&dir.snapshots);
	if (file != NULL)
		rc = check(&dir, file->name, why);
	raftdir_free(&dir);
	return rc;
}
