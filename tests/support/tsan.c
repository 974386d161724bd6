/*
 * What ThreadSanitizer is told about the libraries it cannot see into: libuv's
 * pool closes and opens descriptors whose numbers its loop then watches, in an
 * order that libuv keeps and the sanitizer does not know.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

#ifdef UNDER_TSAN
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return "race_top:epoll_ctl\n";
}
#else
typedef int tsan_absent; /* a translation unit may not be empty */
#endif
