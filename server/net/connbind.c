#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/net/conn.h"

#define BACKLOG 4096 /* the kernel cuts it to somaxconn */

static enum err
fail(const struct address *address, const char *what, struct errmsg *why)
{
	char text[ADDRESS_TEXT_MAX];
	int error = errno;

	address_text(address, text, sizeof(text));
	if (error == EADDRINUSE) {
		return err_set(
		    why, ERR_EXISTS, "%s is in use by another program", text);
	}
	return err_set(why, ERR_IO, "%s %s: %s", what, text, strerror(error));
}

static socklen_t
size_of(const struct sockaddr_storage *sa)
{
	if (sa->ss_family == AF_UNIX)
		return sizeof(struct sockaddr_un);
	if (sa->ss_family == AF_INET6)
		return sizeof(struct sockaddr_in6);
	return sizeof(struct sockaddr_in);
}

static bool
set(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

/* Does descriptor fd listen on this very address? */
static bool
listens_on(int fd, const struct sockaddr_storage *sa)
{
	struct sockaddr_storage own = {0};
	socklen_t size = sizeof(own), flag_size = sizeof(int);
	int listening = 0;

	return getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &flag_size) ==
	    0 &&
	    listening != 0 && size == size_of(sa) &&
	    memcmp(&own, sa, size) == 0;
}

/* Is the address held by a socket of this process? */
static bool
is_ours(const struct sockaddr_storage *sa)
{
	DIR *dir = opendir("/proc/self/fd");
	bool found = false;
	struct dirent *entry;

	if (dir == NULL)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		found = entry->d_name[0] != '.' && listens_on(fd, sa);
	}
	(void)closedir(dir);
	return found;
}

/*
 * SO_REUSEPORT lets any program of the same user share the port in silence. So
 * the first socket is bound without it, which fails if anybody is there, and
 * opened for sharing afterwards; only those that follow are bound with it, and
 * only if the first is seen to be ours.
 */
static enum err
bind_tcp(const struct address *address, const struct sockaddr_storage *sa,
    bool reuse_port, int *out, struct errmsg *why)
{
	bool follows = reuse_port && is_ours(sa);
	int fd = socket(sa->ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return fail(address, "socket for", why);
	if (!set(fd, SOL_SOCKET, SO_REUSEADDR) ||
	    (sa->ss_family == AF_INET6 &&
		!set(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
	    (follows && !set(fd, SOL_SOCKET, SO_REUSEPORT)) ||
	    bind(fd, (const struct sockaddr *)sa, size_of(sa)) != 0 ||
	    (reuse_port && !set(fd, SOL_SOCKET, SO_REUSEPORT)) ||
	    listen(fd, BACKLOG) != 0) {
		enum err rc = fail(address, "listen on", why);

		(void)close(fd);
		return rc;
	}
	*out = fd;
	return OK;
}

/* Remove a socket file that nobody answers on. */
static enum err
clear_path(const struct address *address, const struct sockaddr_storage *sa,
    struct errmsg *why)
{
	struct stat status;
	int fd, rc;

	if (lstat(address->host, &status) != 0)
		return OK; /* bind will say what else is wrong */
	if (!S_ISSOCK(status.st_mode)) {
		return err_set(why, ERR_EXISTS,
		    "unix://%s exists and is no socket", address->host);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(address, "socket for", why);
	rc = connect(fd, (const struct sockaddr *)sa, size_of(sa));
	if (rc != 0 && errno == ECONNREFUSED) {
		(void)close(fd);
		if (unlink(address->host) != 0)
			return fail(address, "remove the old", why);
		return OK;
	}
	if (rc == 0 || errno == EAGAIN) /* answered, or its queue is full */
		errno = EADDRINUSE;
	(void)close(fd);
	return fail(address, "look at", why);
}

static enum err
bind_unix(const struct address *address, const struct sockaddr_storage *sa,
    int *out, struct errmsg *why)
{
	enum err rc = clear_path(address, sa, why);
	int fd;

	if (rc != OK)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(address, "socket for", why);
	/* Nobody can connect before listen, so the mode is in time. */
	if (bind(fd, (const struct sockaddr *)sa, size_of(sa)) != 0 ||
	    chmod(address->host, 0600) != 0 || listen(fd, BACKLOG) != 0) {
		rc = fail(address, "listen on", why);
		(void)close(fd);
		return rc;
	}
	*out = fd;
	return OK;
}

enum err
conn_bind(
    const struct address *address, bool reuse_port, int *fd, struct errmsg *why)
{
	struct sockaddr_storage sa;
	enum err rc = address_sockaddr(address, &sa, why);

	if (rc != OK)
		return rc;
	if (address->is_unix)
		return bind_unix(address, &sa, fd, why);
	return bind_tcp(address, &sa, reuse_port, fd, why);
}
