/*-------------------------------------------------------------------------
 *
 * isa.h
 *	  Which vector instructions the scanners of codec/ may use.
 *
 * The best that the processor has is found at the first question.  Tests
 * lower it to see that all paths agree; a reader keeps what it found when it
 * was created.
 *
 * IDENTIFICATION
 *	  src/codec/isa.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_ISA_H
#define APPFLOW_CODEC_ISA_H

typedef enum CodecIsa
{
	CODEC_ISA_SCALAR,
	CODEC_ISA_SSE2,
	CODEC_ISA_AVX2
} CodecIsa;

#if defined(__x86_64__)
#define CODEC_X86 1
#include <immintrin.h>
#define CODEC_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2")))
#endif

/* the best instruction set that is both present and allowed */
extern CodecIsa codec_isa(void);

/* allow no more than this; for tests and measurements */
extern void codec_isa_limit(CodecIsa limit);

#endif							/* APPFLOW_CODEC_ISA_H */
