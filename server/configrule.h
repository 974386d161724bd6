/*
 * configrule - what a text in the configuration may look like.
 *
 * Each returns NULL if text is good, else the rule in words that follow
 * "must be", for example "an IP address". Pure; any thread.
 */
#ifndef SERVER_CONFIGRULE_H
#define SERVER_CONFIGRULE_H

#include <stdbool.h>

const char *configrule_node(const char *text);
const char *configrule_datacenter(const char *text);
const char *configrule_domain(const char *text);
const char *configrule_ip(const char *text);     /* IPv6 may have a zone */
const char *configrule_listen(const char *text); /* IP or unix:///path */
const char *configrule_join(const char *text);   /* host[:port], [v6]:port */
const char *configrule_uuid(const char *text);
const char *configrule_provider(const char *text);
const char *configrule_level(const char *text);
const char *configrule_tls_version(const char *text);
/* Also the spellings of the deprecated key, tls12 and tls13. */
const char *configrule_tls_version_old(const char *text);
const char *configrule_suites(const char *text); /* contract 5.1 */
const char *configrule_header_name(const char *text);
const char *configrule_header_value(const char *text);

/* Of an IP address that configrule_ip took. */
bool configrule_is_loopback(const char *ip);
bool configrule_is_any(const char *ip);

#endif
