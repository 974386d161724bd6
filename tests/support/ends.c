#include "tests/support/ends.h"

#include <stdio.h>
#include <stdlib.h>

static struct end *
end_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct end, stream);
}

static void
maybe_close(struct end *end, enum event event)
{
	if (end->close_in == event)
		stream_close(&end->stream);
}

static void
on_opened(struct stream *stream)
{
	end_of(stream)->opened++;
	maybe_close(end_of(stream), AT_OPENED);
}

static void
on_data(struct stream *stream, const uint8_t *data, size_t size)
{
	struct end *end = end_of(stream);
	struct errmsg why;

	assert_int_equal(end->closed, 0);
	end->data++;
	buf_raw(&end->got, data, size);
	if (end->echo)
		assert_int_equal(
		    stream_write(stream, data, size, NULL, &why), OK);
	if (end->answer != NULL) {
		assert_int_equal(
		    stream_write(stream, "head", 4, end->answer, &why), OK);
		body_unref(end->answer);
		end->answer = NULL;
	}
	if (end->linger)
		stream_linger(stream);
	maybe_close(end, AT_DATA);
}

static void
on_ended(struct stream *stream)
{
	end_of(stream)->ended++;
	maybe_close(end_of(stream), AT_ENDED);
}

static void
on_failed(struct stream *stream, enum err code, const struct errmsg *why)
{
	struct end *end = end_of(stream);

	end->failed++;
	end->code = code;
	end->why = *why;
	stream_close(stream);
}

static void
on_drained(struct stream *stream)
{
	end_of(stream)->drained++;
	maybe_close(end_of(stream), AT_DRAINED);
}

static void
on_closed(struct stream *stream)
{
	end_of(stream)->closed++;
}

const struct stream_events ends_events = {
    on_opened, on_data, on_ended, on_failed, on_drained, on_closed};

static void
on_connection(uv_stream_t *listener, int status)
{
	struct ends *world = listener->data;
	struct stream *stream = &world->server.stream;
	struct errmsg why;

	assert_int_equal(status, 0);
	world->accepted++;
	if (world->either)
		assert_int_equal(stream_accept_either(stream, world->shared,
				     &ends_events, listener, world->accept_tls,
				     world->plain_ok, world->write_max, &why),
		    OK);
	else
		assert_int_equal(
		    stream_accept(stream, world->shared, &ends_events, listener,
			world->accept_tls, world->write_max, &why),
		    OK);
}

int
ends_make_world(void **state)
{
	struct ends *world = calloc(1, sizeof(*world));
	struct tls_files server = {0}, client = {0};
	char ca[300], cert[300], key[300];
	struct errmsg why;

	assert_non_null(world);
	world->dir = test_tmpdir();
	world->ca = pki_new(world->dir, "ca");
	pki_issue(world->ca,
	    &(struct pki_leaf){.name = "server", .dns = "server.dc1.consul"});
	snprintf(ca, sizeof(ca), "%s/ca.pem", world->dir);
	snprintf(cert, sizeof(cert), "%s/server.pem", world->dir);
	snprintf(key, sizeof(key), "%s/server.key", world->dir);
	server.cert_file = cert;
	server.key_file = key;
	client.ca_file = ca;
	assert_int_equal(tls_context_new(&server, true, false, NULL,
			     &world->server_tls, &why),
	    OK);
	assert_int_equal(tls_context_new(&client, false, true, NULL,
			     &world->client_tls, &why),
	    OK);
	*state = world;
	return 0;
}

int
ends_end_world(void **state)
{
	struct ends *world = *state;

	tls_context_unref(world->server_tls);
	tls_context_unref(world->client_tls);
	pki_free(world->ca);
	test_rmdir(world->dir);
	free(world);
	return 0;
}

static void
on_clock(uv_timer_t *clock)
{
	(void)clock;
}

int
ends_set_up(void **state)
{
	struct ends *world = *state;
	struct sockaddr_in6 any = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int size = sizeof(world->address);
	struct errmsg why;

	memset(&world->server, 0, sizeof(world->server));
	memset(&world->client, 0, sizeof(world->client));
	world->server.got = buf_new(64u << 20);
	world->client.got = buf_new(64u << 20);
	world->accept_tls = NULL;
	world->either = world->plain_ok = false;
	world->write_max = 16u << 20;
	world->accepted = 0;
	assert_int_equal(uv_loop_init(&world->loop), 0);
	assert_int_equal(
	    stream_shared_new(&world->loop, &world->shared, &why), OK);
	assert_int_equal(uv_tcp_init(&world->loop, &world->listener.tcp), 0);
	world->listener.handle.data = world;
	assert_int_equal(uv_timer_init(&world->loop, &world->clock), 0);
	assert_int_equal(uv_timer_start(&world->clock, on_clock, 20, 20), 0);
	assert_int_equal(
	    uv_tcp_bind(&world->listener.tcp, (const struct sockaddr *)&any, 0),
	    0);
	assert_int_equal(
	    uv_listen(&world->listener.stream, 16, on_connection), 0);
	assert_int_equal(uv_tcp_getsockname(&world->listener.tcp,
			     (struct sockaddr *)&world->address, &size),
	    0);
	return 0;
}

void
ends_unlisten(struct ends *world)
{
	if (!uv_is_closing(&world->listener.handle))
		uv_close(&world->listener.handle, NULL);
}

int
ends_tear_down(void **state)
{
	struct ends *world = *state;

	ends_unlisten(world);
	uv_close((uv_handle_t *)&world->clock, NULL);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	stream_shared_free(world->shared);
	buf_free(&world->server.got);
	buf_free(&world->client.got);
	return 0;
}

void
ends_dial(struct ends *world, bool tls)
{
	struct errmsg why;

	assert_int_equal(
	    stream_connect(&world->client.stream, world->shared, &ends_events,
		(const struct sockaddr *)&world->address,
		tls ? world->client_tls : NULL,
		tls ? "server.dc1.consul" : NULL, tls, world->write_max, &why),
	    OK);
}

void
ends_close_both(struct ends *world)
{
	stream_close(&world->client.stream);
	if (world->accepted > 0)
		stream_close(&world->server.stream);
	UNTIL(world,
	    world->client.closed == 1 &&
		(world->accepted == 0 || world->server.closed == 1));
}

struct body *
ends_pattern(size_t size)
{
	uint8_t *bytes = malloc(size);
	struct body *body;

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
	body = body_new(bytes, size);
	assert_non_null(body);
	free(bytes);
	return body;
}

void
ends_reset(struct ends *world)
{
	memset(&world->client, 0, offsetof(struct end, got));
	memset(&world->server, 0, offsetof(struct end, got));
	buf_reset(&world->client.got);
	buf_reset(&world->server.got);
	world->accepted = 0;
}
