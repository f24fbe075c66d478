/* The threads that llama.cpp computes on, for our own work between its. */
#ifndef BACO_PARALLEL_H
#define BACO_PARALLEL_H

/* Calls work(data) on so many threads at once and waits for all; on this one alone where there are no others. */
void run_parallel(void (*work)(void *), void *data, int threads);
#endif
