#include "server/api/reply.h"

#include <assert.h>
#include <string.h>

#include "server/api/context.h"
#include "server/api/zip.h"
#include "server/config.h"
#include "server/json.h"
#include "server/net/body.h"

#define PRETTY_INDENT 4

static const char every[] = "X-Consul-Default-ACL-Policy: allow\r\n"
			    "Vary: Accept-Encoding\r\n";

static void
add(struct reply_head *head, const char *text, size_t size)
{
	assert(size <= sizeof(head->text) - head->size);
	memcpy(head->text + head->size, text, size);
	head->size += size;
}

void
reply_head(struct reply_head *head)
{
	head->size = 0;
	add(head, every, sizeof(every) - 1);
}

void
reply_line(struct reply_head *head, const char *name, const char *value)
{
	add(head, name, strlen(name));
	add(head, ": ", 2);
	add(head, value, strlen(value));
	add(head, "\r\n", 2);
}

void
reply_number(struct reply_head *head, const char *name, uint64_t value)
{
	char digits[21], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	reply_line(head, name, at);
}

void
reply_meta(struct reply_head *head, struct api *api, uint64_t index)
{
	struct node *node = api->server.node;

	reply_number(head, "X-Consul-Index", index == 0 ? 1 : index);
	reply_line(head, "X-Consul-KnownLeader",
	    node_leader_known(node) ? "true" : "false");
	reply_number(head, "X-Consul-LastContact", node_last_contact_ms(node));
	reply_line(head, "X-Consul-Query-Backend", "blocking-query");
}

void
reply_body(const struct ask *ask, int status, struct reply_head *head,
    const char *type, struct body *body, bool zipped)
{
	if (zipped)
		reply_line(head, "Content-Encoding", "gzip");
	conn_reply(ask->conn, status, type, head->text, head->size, body);
}

/* Send bytes, compressed if the client takes that and they are no secret. */
static void
send_bytes(const struct ask *ask, int status, const struct reply_head *extra,
    const char *type, const void *data, size_t size)
{
	struct reply_head head;
	struct body *body = NULL;
	bool zipped = false;

	if (extra != NULL)
		head = *extra;
	else
		reply_head(&head);
	if (ask->gzip && size > 0)
		body = zip_body(ask->api->zip, data, size);
	zipped = body != NULL;
	if (body == NULL && size > 0) {
		body = body_new(data, size);
		if (body == NULL)
			status = 503; /* too poor even to say why */
	}
	reply_body(ask, status, &head, size > 0 ? type : NULL, body, zipped);
}

void
reply_error(const struct ask *ask, int status, const char *text)
{
	send_bytes(ask, status, NULL, REPLY_PLAIN, text, strlen(text));
}

void
reply_retry(const struct ask *ask, int status, const char *text)
{
	struct reply_head head;

	reply_head(&head);
	reply_line(&head, "Retry-After", "1");
	send_bytes(ask, status, &head, REPLY_PLAIN, text, strlen(text));
}

void
reply_fault(const struct ask *ask, enum err code, const struct errmsg *why)
{
	if (code == ERR_NOMEM)
		reply_retry(ask, 503, "out of memory");
	else
		reply_error(ask, 500,
		    why == NULL || why->text[0] == '\0' ? err_text(code)
							: why->text);
}

void
reply_failure(const struct ask *ask, enum err code, const struct errmsg *why)
{
	bool told = why != NULL && why->text[0] != '\0';
	struct errmsg text;

	/* Not a switch: most codes are answered alike. */
	if (code == ERR_NOLEADER) {
		reply_error(ask, 500, "No cluster leader");
	} else if (code == ERR_UNKNOWN) {
		reply_error(ask, 500,
		    "leadership lost while committing log: the outcome is "
		    "unknown, read before you retry");
	} else if (code == ERR_BUSY && told) {
		reply_retry(ask, 429, why->text);
	} else if (code == ERR_BUSY) {
		(void)err_set(&text, code,
		    "too many writes in flight (limits.max_proposals is %u)",
		    ask->api->server.config->max_proposals);
		reply_retry(ask, 429, text.text);
	} else if (code == ERR_FULL) {
		reply_error(ask, 507, told ? why->text : err_text(code));
	} else if (code == ERR_CLOSED) {
		reply_retry(ask, 503, "the server is stopping");
	} else {
		reply_fault(ask, code, why);
	}
}

void
reply_empty(const struct ask *ask, bool behind)
{
	struct reply_head head;

	reply_head(&head);
	if (behind)
		reply_line(&head, "X-Conclave-Behind", "true");
	reply_body(ask, 200, &head, NULL, NULL, false);
}

void
reply_text(const struct ask *ask, int status, const struct reply_head *head,
    const char *type, struct buf *text)
{
	struct errmsg why;
	enum err rc = buf_status(text, &why);

	if (rc == OK)
		send_bytes(ask, status, head, type, text->data, text->size);
	else
		reply_failure(ask, rc, &why);
	buf_free(text);
}

void
reply_json(const struct ask *ask, int status, const struct reply_head *head,
    struct buf *json)
{
	struct buf pretty;

	if (!ask->query.pretty || json->failed != OK) {
		reply_text(ask, status, head, REPLY_JSON, json);
		return;
	}
	pretty = buf_new(json->max * 8);
	json_pretty(
	    &pretty, (const char *)json->data, json->size, PRETTY_INDENT);
	buf_free(json);
	reply_text(ask, status, head, REPLY_JSON, &pretty);
}
