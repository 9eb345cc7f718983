/*-------------------------------------------------------------------------
 *
 * isa.c
 *	  Which vector instructions the scanners of codec/ may use.
 *
 * IDENTIFICATION
 *	  src/codec/isa.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/isa.h"

static int	allowed = CODEC_ISA_AVX2;
static int	present = -1;

CodecIsa
codec_isa(void)
{
	if (present < 0)
	{
#ifdef CODEC_X86
		__builtin_cpu_init();
		if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
			__builtin_cpu_supports("bmi2"))
			present = CODEC_ISA_AVX2;
		else
			present = CODEC_ISA_SSE2;
#else
		present = CODEC_ISA_SCALAR;
#endif
	}
	return (CodecIsa) (present < allowed ? present : allowed);
}

void
codec_isa_limit(CodecIsa limit)
{
	allowed = limit;
}
