#include "server/confighint.h"

#include <stdio.h>
#include <string.h>

#include "server/configtable.h"

#define OPTION_SIZE 64 /* no option has a name as long */

/* Keys of Consul's that mean nothing here, by path or by group. */
static const struct {
	const char *name, *hint;
} foreign[] = {
    {"ports.serf_lan", "there is no gossip, servers meet on ports.server"},
    {"ports.serf_wan", "there is no gossip, servers meet on ports.server"},
    {"ports.dns", "there is no DNS interface"},
    {"ports.grpc", "there is no gRPC interface"},
    {"ports.grpc_tls", "there is no gRPC interface"},
    {"addresses.dns", "there is no DNS interface"},
    {"addresses.grpc", "there is no gRPC interface"},
    {"addresses.grpc_tls", "there is no gRPC interface"},
    {"tls.grpc", "there is no gRPC interface"},
    {"tls.https.verify_server_hostname", "use tls.internal_rpc"},
    {"client", "the key is client_addr"},
    {"bind", "the key is bind_addr"},
    {"advertise", "the key is advertise_addr"},
    {"node", "the key is node_name"},
    {"encrypt", "there is no gossip to encrypt"},
    {"start_join", "use retry_join"},
    {"ui_config", "there is no user interface"},
    {"primary_datacenter", "there is one datacenter"},
    {"acl", "there are no access rules"},
    {"services", "there is no service catalog"},
    {"service", "there is no service catalog"},
    {"limits.http_max_conns_per_client",
	"use limits.max_connections and limits.max_parked_per_address"},
};

/* Letters to insert, delete or replace; anything above 60 letters is far. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[62], corner, above;
	size_t width = strlen(b);

	if (width > 60 || strlen(a) > 60)
		return 60;
	for (unsigned i = 0; i <= width; i++)
		row[i] = i;
	for (; *a != '\0'; a++) {
		corner = row[0]++;
		for (size_t i = 1; i <= width; i++) {
			above = row[i];
			row[i] = corner + (*a != b[i - 1]);
			if (above + 1 < row[i])
				row[i] = above + 1;
			if (row[i - 1] + 1 < row[i])
				row[i] = row[i - 1] + 1;
			corner = above;
		}
	}
	return row[width];
}

/* The leading part of path that is as deep as name: a group, or path. */
static void
cut_to_depth(const char *path, const char *name, char out[static OPTION_SIZE])
{
	size_t size = 0;

	for (;; name++, size++) {
		size += strcspn(path + size, ".");
		name += strcspn(name, ".");
		if (*name == '\0' || path[size] == '\0')
			break;
	}
	snprintf(out, OPTION_SIZE, "%.*s", (int)size, path);
}

/* Is the last part of the two paths the same? */
static bool
same_key(const char *a, const char *b)
{
	const char *last = strrchr(a, '.'), *tail = strrchr(b, '.');

	return strcmp(last == NULL ? a : last + 1,
		   tail == NULL ? b : tail + 1) == 0;
}

static bool
is_foreign(const char *name, char hint[static CONFIGHINT_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		if (strcmp(foreign[i].name, name) == 0) {
			snprintf(
			    hint, CONFIGHINT_SIZE, " (%s)", foreign[i].hint);
			return true;
		}
	}
	return false;
}

void
confighint(const char *name, bool flag, char hint[static CONFIGHINT_SIZE])
{
	unsigned nearest = strlen(name) < 4 ? 2 : 3; /* and not as far */
	char cut[OPTION_SIZE];
	const char *known;

	if (!flag && is_foreign(name, hint))
		return;
	hint[0] = '\0';
	for (size_t i = 0; i < config_options_count; i++) {
		known = flag ? config_options[i].flag : config_options[i].name;
		if (known == NULL)
			continue;
		/* The right key in the wrong group beats a near one. */
		if (!flag && nearest > 0 && same_key(name, known)) {
			nearest = 0;
			snprintf(hint, CONFIGHINT_SIZE, " (did you mean %s?)",
			    known);
		}
		cut_to_depth(known, name, cut);
		if (distance(name, cut) >= nearest)
			continue;
		nearest = distance(name, cut);
		snprintf(hint, CONFIGHINT_SIZE, " (did you mean %s%s?)",
		    flag ? "-" : "", cut);
	}
}
