#include "server/api/member.h"

#include "server/api/jsonout.h"
#include "server/config.h"
#include "server/net/address.h"

#define PORT_SERVER 8300
#define PORT_LAN    8301 /* contract shapes only: nothing listens there */
#define PORT_WAN    8302

enum status { STATUS_ALIVE = 1, STATUS_FAILED = 4 };

/* In Go's order, which is by name. */
static void
put_tags(struct buf *out, const struct config *config,
    const struct node_member *member, uint16_t port)
{
	bool tls = config->tls_internal_rpc.cert_file != NULL;

	jsonout_open(out, "Tags", '{');
	jsonout_text(out, "acls", "0");
	if (config->bootstrap_expect == 1)
		jsonout_text(out, "bootstrap", "1");
	jsonout_text(out, "build", member->version);
	jsonout_text(out, "dc", config->datacenter);
	if (config->bootstrap_expect > 1)
		jsonout_count(out, "expect", config->bootstrap_expect);
	jsonout_text(out, "id", member->node_id);
	jsonout_count(out, "port", port);
	jsonout_text(out, "raft_vsn", "3");
	jsonout_text(out, "role", "consul");
	jsonout_text(out, "segment", "");
	if (tls)
		jsonout_text(out, "use_tls", "1");
	jsonout_text(out, "vsn", "2");
	jsonout_text(out, "vsn_max", "3");
	jsonout_text(out, "vsn_min", "2");
	jsonout_count(out, "wan_join_port", PORT_WAN);
	jsonout_close(out, '{');
}

static void
put_name(struct buf *out, const struct config *config,
    const struct node_member *member, bool wan)
{
	struct buf name;

	if (!wan) {
		jsonout_text(out, "Name", member->name);
		return;
	}
	name = buf_new(512);
	buf_printf(&name, "%s.%s", member->name, config->datacenter);
	jsonout_span(
	    out, "Name", (struct span){(const char *)name.data, name.size});
	buf_free(&name);
}

void
member_put(struct buf *out, const char *key, const struct config *config,
    const struct node_member *member, bool wan)
{
	struct address address = {.host = ""};
	bool alive = member->self || member->connected;

	if (address_parse(member->address, PORT_SERVER, &address, NULL) != OK)
		address.host[0] = '\0';
	jsonout_open(out, key, '{');
	put_name(out, config, member, wan);
	jsonout_text(out, "Addr", address.host);
	jsonout_u64(out, "Port", wan ? PORT_WAN : PORT_LAN);
	put_tags(out, config, member, address.port);
	jsonout_u64(out, "Status", alive ? STATUS_ALIVE : STATUS_FAILED);
	jsonout_u64(out, "ProtocolMin", 1);
	jsonout_u64(out, "ProtocolMax", 5);
	jsonout_u64(out, "ProtocolCur", 2);
	jsonout_u64(out, "DelegateMin", 2);
	jsonout_u64(out, "DelegateMax", 5);
	jsonout_u64(out, "DelegateCur", 4);
	jsonout_close(out, '{');
}
