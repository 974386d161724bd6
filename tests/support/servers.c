#include "tests/support/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "server/cluster/raftmsg.h"
#include "server/loop.h"
#include "server/version.h"

static void
on_introduce(void *arg, uint64_t peer, struct hello *ours)
{
	struct server *server = arg;

	(void)peer;
	*ours = server->self;
}

static enum err
on_greeted(void *arg, const struct hello *theirs, struct errmsg *why)
{
	struct server *server = arg;

	server->greetings++;
	server->last_greeted = *theirs;
	if (server->denies != NULL)
		return err_set(why, ERR_DENIED, "%s", server->denies);
	if (server->makes_peers)
		return transport_peer(
		    server->transport, theirs->id, theirs->address, why);
	return OK;
}

static void
on_message(void *arg, struct raft_message *message)
{
	struct server *server = arg;

	assert_true(server->message_count < SERVERS_KEPT);
	(void)snprintf(server->message_address, sizeof(server->message_address),
	    "%s", message->server_address);
	server->messages[server->message_count++] = *message;
}

static void
on_frame(void *arg, uint64_t from, const struct frame *frame)
{
	struct server *server = arg;
	struct server_frame *kept = &server->frames[server->frame_count];

	assert_true(server->frame_count < SERVERS_KEPT);
	kept->from = from;
	kept->type = frame->type;
	kept->data = buf_new(FRAME_MAX);
	buf_raw(&kept->data, frame->data, frame->size);
	server->frame_count++;
}

static void
on_up(void *arg, uint64_t peer)
{
	struct server *server = arg;

	server->ups++;
	server->last_up = peer;
}

static void
on_down(void *arg, uint64_t peer)
{
	struct server *server = arg;

	server->downs++;
	server->last_down = peer;
}

static void
on_deaf(void *arg, uint64_t peer)
{
	struct server *server = arg;

	(void)peer;
	server->deafs++;
}

static const struct transport_events events = {
    .introduce = on_introduce,
    .greeted = on_greeted,
    .message = on_message,
    .frame = on_frame,
    .up = on_up,
    .down = on_down,
    .deaf = on_deaf,
};

void
server_start(struct server *server, struct loop *loop, uint64_t id,
    uint16_t port, const struct transport_tls *tls)
{
	static const struct transport_tls plain = {.plain_allowed = true};
	struct hello *self = &server->self;
	struct errmsg why;
	uint64_t start = self->start; /* of an earlier life */

	memset(server, 0, sizeof(*server));
	server->loop = loop;
	self->wire = CONCLAVE_WIRE;
	self->state = HELLO_MEMBER;
	self->id = id;
	self->start = start + 1;
	self->instance = id * 1000 + start + 1;
	(void)snprintf(self->datacenter, sizeof(self->datacenter), "dc1");
	(void)snprintf(self->name, sizeof(self->name), "s%d", (int)id);
	assert_int_equal(transport_new(loop, tls != NULL ? tls : &plain,
			     &events, server, &server->transport, &why),
	    OK);
	(void)snprintf(
	    server->address, sizeof(server->address), "127.0.0.1:%u", port);
	if (port == 0)
		(void)snprintf(
		    server->address, sizeof(server->address), "127.0.0.1");
	assert_int_equal(
	    transport_listen(server->transport, server->address, &why), OK);
	server->port = transport_port(server->transport);
	assert_true(server->port != 0);
	(void)snprintf(server->address, sizeof(server->address), "127.0.0.1:%u",
	    server->port);
	(void)snprintf(
	    self->address, sizeof(self->address), "%s", server->address);
}

static void
on_closed(void *arg)
{
	struct server *server = arg;

	server->closed = true;
}

void
server_stop(struct server *server)
{
	uv_loop_t *uv = loop_uv(server->loop);

	transport_stop(server->transport, on_closed, server);
	while (!server->closed)
		(void)uv_run(uv, UV_RUN_ONCE);
	transport_free(server->transport);
	server->transport = NULL;
	server_forget(server);
}

void
server_forget(struct server *server)
{
	for (unsigned i = 0; i < server->message_count; i++)
		raftmsg_free(&server->messages[i]);
	for (unsigned i = 0; i < server->frame_count; i++)
		buf_free(&server->frames[i].data);
	server->message_count = server->frame_count = 0;
}

void
server_peer(struct server *server, const struct server *other)
{
	struct errmsg why;

	assert_int_equal(transport_peer(server->transport, other->self.id,
			     other->address, &why),
	    OK);
}

struct loop *
servers_loop(void)
{
	struct loop *loop;
	struct errmsg why;

	assert_int_equal(loop_new("test", &loop, &why), OK);
	return loop;
}

static void
on_timer(uv_timer_t *timer)
{
	(void)timer; /* only to end a wait in the poll */
}

static void
timer_begin(struct loop *loop, uv_timer_t *timer)
{
	assert_int_equal(uv_timer_init(loop_uv(loop), timer), 0);
	assert_int_equal(uv_timer_start(timer, on_timer, 5, 5), 0);
}

static void
timer_end(struct loop *loop, uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, NULL);
	while (uv_is_active((uv_handle_t *)timer))
		(void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	(void)uv_run(loop_uv(loop), UV_RUN_NOWAIT); /* its close */
}

void
servers_until(
    struct loop *loop, const unsigned *counter, unsigned want, unsigned ms)
{
	uint64_t deadline = uv_hrtime() / 1000000 + ms;
	uv_timer_t timer;

	timer_begin(loop, &timer);
	while (*counter < want && uv_hrtime() / 1000000 < deadline)
		(void)uv_run(loop_uv(loop), UV_RUN_ONCE);
	timer_end(loop, &timer);
	assert_in_range(*counter, want, UINT32_MAX);
}

void
servers_run(struct loop *loop, unsigned ms)
{
	uint64_t deadline = uv_hrtime() / 1000000 + ms;
	uv_timer_t timer;

	timer_begin(loop, &timer);
	while (uv_hrtime() / 1000000 < deadline)
		(void)uv_run(loop_uv(loop), UV_RUN_ONCE);
	timer_end(loop, &timer);
}

void
servers_connect(struct server *a, struct server *b)
{
	unsigned a_ups = a->ups, b_ups = b->ups;

	server_peer(a, b);
	server_peer(b, a);
	servers_until(a->loop, &a->ups, a_ups + 1, 5000);
	servers_until(b->loop, &b->ups, b_ups + 1, 5000);
	servers_run(a->loop, 50); /* the bulk connections too */
	assert_true(transport_connected(a->transport, b->self.id));
	assert_true(transport_connected(b->transport, a->self.id));
}

int
raw_connect(const struct server *server)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
	    .sin_port = htons(server->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

int
raw_listen(char *address, size_t size)
{
	struct sockaddr_in sa = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t sa_size = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &sa_size), 0);
	(void)snprintf(
	    address, size, "127.0.0.1:%u", (unsigned)ntohs(sa.sin_port));
	return fd;
}

void
raw_send(int fd, enum frame_type type, const void *data, size_t size)
{
	uint8_t head[FRAME_HEAD_SIZE];

	frame_head(head, type, (uint32_t)size);
	assert_int_equal(
	    send(fd, head, sizeof(head), MSG_NOSIGNAL), sizeof(head));
	if (size > 0)
		assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

void
raw_hello(int fd, const struct hello *hello)
{
	struct buf out = buf_new(HELLO_SIZE_MAX);

	hello_encode(hello, &out);
	raw_send(fd, FRAME_HELLO, out.data, out.size);
	buf_free(&out);
}

/* false: the connection ended first. */
static bool
raw_read(struct loop *loop, int fd, void *data, size_t size)
{
	uint8_t *at = data;

	while (size > 0) {
		ssize_t got = recv(fd, at, size, 0);

		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return false;
		if (got < 0) {
			assert_int_equal(errno, EAGAIN);
			servers_run(loop, 5);
			continue;
		}
		at += got;
		size -= (size_t)got;
	}
	return true;
}

bool
raw_frame(
    struct loop *loop, int fd, enum frame_type *type, void *data, size_t *size)
{
	uint8_t head[FRAME_HEAD_SIZE];
	uint32_t payload;

	if (!raw_read(loop, fd, head, sizeof(head)))
		return false;
	assert_int_equal(head[0], FRAME_MAGIC);
	memcpy(&payload, head + 4, sizeof(payload));
	payload = ntohl(payload);
	assert_true(payload <= *size);
	*type = (enum frame_type)head[1];
	*size = payload;
	return raw_read(loop, fd, data, payload);
}
