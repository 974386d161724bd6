/*
 * pki - a small certificate authority for tests, made at run time.
 *
 * Writes PEM files into a folder: NAME.pem and NAME.key. Every failure aborts
 * the test.
 */
#ifndef TESTS_SUPPORT_PKI_H
#define TESTS_SUPPORT_PKI_H

#include <stdbool.h>

struct pki; /* one CA */

struct pki_leaf {
	const char *name;   /* file name and CN */
	const char *dns;    /* SubjectAltName, NULL = none */
	const char *usage;  /* "serverAuth,clientAuth"; NULL = no extension */
	bool expired;       /* ended a day ago; else good for a day */
	const char *secret; /* pass phrase of the key file, NULL = none */
};

/* CA "name"; writes name.pem and name.key into dir (borrowed). */
struct pki *pki_new(const char *dir, const char *name);
void pki_issue(struct pki *pki, const struct pki_leaf *leaf);
void pki_free(struct pki *pki);

#endif
