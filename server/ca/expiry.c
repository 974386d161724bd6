#include "server/ca/expiry.h"

#include <inttypes.h>
#include <math.h>

#include "server/ca/castore.h"
#include "server/log.h"
#include "server/metrics.h"

#define DAY      (INT64_C(24) * 3600)
#define NEAR_MAX (28 * DAY)

bool
expiry_is_near(int64_t not_before, int64_t not_after, int64_t now)
{
	int64_t near = (not_after - not_before) / 5 * 2;

	return not_after - now < (near < NEAR_MAX ? near : NEAR_MAX);
}

/* The built-in CA signs with its root: both gauges are the root's. */
static void
show(const struct ca_root *root, int64_t now, bool warn)
{
	int64_t left = root->not_after - now;

	metrics_set(METRIC_CA_ROOT_EXPIRY, (double)left);
	metrics_set(METRIC_CA_SIGNING_EXPIRY, (double)left);
	if (warn && expiry_is_near(root->not_before, root->not_after, now)) {
		log_event(LOG_WARN, "connect.ca",
		    "certificate expiring soon: cert_type=Root "
		    "days_remaining=%" PRId64 " suggested_action=\"set a new "
		    "PrivateKey or RootCert in the CA configuration\"",
		    left / DAY);
	}
}

void
expiry_show(const struct ca_env *env, bool warn)
{
	const struct catask task = {.env = env};
	struct castore *store = NULL;
	struct errmsg why;
	int64_t now;

	if (castep_time(&task, &now, &why) != OK ||
	    castore_load(node_db(env->node), &store, &why) != OK)
		return;
	if (store->active != CASTORE_NONE)
		show(&store->roots[store->active], now, warn);
	castore_free(store);
}

void
expiry_hide(void)
{
	metrics_set(METRIC_CA_ROOT_EXPIRY, NAN);
	metrics_set(METRIC_CA_SIGNING_EXPIRY, NAN);
}
