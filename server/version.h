/* version - what this build calls itself. VERSION comes from the Makefile. */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

#define CONCLAVE_VERSION VERSION
#define CONCLAVE_WIRE    1 /* server RPC protocol */

#endif
