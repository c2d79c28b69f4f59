"""The numbers that decide how fast the NumPy backend is; none of them changes a promise.

The backend and the model of its costs read them here. Bytes are those of one block, which
one thread computes at a time; elements are counted for all channels unless a comment says
otherwise. All were measured on processors with AVX-512.
"""

from __future__ import annotations

__all__: list[str] = []

# --- Choices ---------------------------------------------------------------------------

# Multiply-adds from which on `auto` takes an inexact algorithm.
INEXACT_FROM = 2**20

# Stride of the last axis from which on runs of a stride are longer than a strided write
# costs: what `subpixel` needs.
LEAST_STRIDE = 16

# --- Costs, in units of the rates of `planning.work` -----------------------------------

# Strided moves that it costs to pack an element of the kernel for `polyphase`; moves on
# long runs for `subpixel`.
PACK_MOVES = 4
SUBPIXEL_PACK_MOVES = 2
# The same for a convolution whose rows serve all taps of an axis, in moves on long runs.
PACK_ROWS = 12
# How much longer products of gathered columns take than large ones, thin ones and those of
# few rows the more; and moves of a gather in use, where others fill the caches.
COLUMN_PRODUCT = 2.3
THIN_COLUMNS = 7.8
FEW_COLUMN_ROWS = 1.7
GATHERED = 1.5
# Array operations that the calls for a block of columns take, for columns that are looked
# up, and for rows; and those of an overlap-add that is one look-up.
COLUMN_CALLS = 80
LOOKUP_CALLS = 16
LOOKUP_SUM_CALLS = 6
ROW_CALLS = 7
# Moves of a result's elements that one more product to be added costs.
SUM_MOVES = 4
# Additions of an overlap-add that its other operations stand for.
FEW_STRETCHES = 32
# What a pass of a transform costs for an element of a short row, in moves of an element of
# four bytes; the array operations of a chunk of blocks, long ones counted as several; and
# what products of spectra cost as matrices of those that are made one by one.
TRANSFORM = 18.0
SPECTRUM_CALLS = 170
JOINED_MATRICES = 0.8
# A product of few rows is only read and written; one with a thin inner dimension waits for
# its result, as if it were so much deeper.
FEW_ROWS = 4
THIN = 24

# --- Blocks ----------------------------------------------------------------------------

# Bytes of all arrays of a block that stay in the caches.
BLOCK_BYTES = 24 * 2**20

# Bytes that a block may take beside its result. With the arena that a thread keeps this
# is below the 64 MiB that are promised.
MOST_BYTES = 40 * 2**20

# Bytes of columns of the groups of one block.
GROUP_BYTES = 2**24

# Blocks that a problem has at least, so that threads have something to share; those of
# fewer multiply-adds lose more by taking turns with Python than by an idle thread.
LEAST_BLOCKS = 4
FEW_BLOCKS = 2
FEW_BLOCKS_WORK = 2**28

# Multiply-adds, twice as many for a convolution, and elements of the big side, below which
# one block on one thread is faster: short operations of two threads wait for each other.
SMALL_WORK = 2**24
SMALL_ELEMENTS = 2**19

# Multiply-adds below which BLAS uses one thread by itself, so that it need not be limited.
TINY_WORK = 2**13

# Channels of a block from which on it does not matter that one block has one more.
LEAST_SHARES = 4

# A block is at least so many times as long as the halo that its neighbours share.
LEAST_HALOS = 4

# The same for the two blocks that `fft` has at least, and by how much its blocks may be too
# large, in eighths.
FEW_HALOS = 1
UNEVEN = 11

# Stride up to which a block has at least one, so that it is cut where phases begin.
SHORT_STRIDE = 64

# Kernels up to this size are packed once for all blocks of a call.
SHARED_BYTES = 2**22

# --- Products --------------------------------------------------------------------------

# Terms that one chain of additions should have in single precision; every cut costs a pass
# over the result. Sums that need more pieces are left to BLAS, which cuts them itself at
# some hundreds of terms.
CHAIN = 128
MOST_PIECES = 17

# Multiply-adds up to which BLAS does not pack a product; cut into tiles it would only take
# longer.
UNPACKED = 10**6

# A product is cut where it has few rows, or else where its columns are so many that BLAS
# packs them out of the caches; and the most terms of a tile of few rows, of more, and of
# many.
TILED_ROWS = 16
LONG_COLUMNS = 2560
FEW_ROWS_DEPTH = 640
MOST_DEPTH = 256
THIN_ROWS = 64
THIN_DEPTH = 96

# Multiply-adds, and terms for few rows and for more, from which on tiles are faster where
# columns are no rows in memory: BLAS then packs all but the smallest products.
LEAST_TILED = 2**17
LEAST_TERMS = 32
LEAST_TERMS_OF_ROWS = 96

# Kernel gradients: elements from which on their products are cut into tiles, the thinner
# side of a product up to which that is faster, and what a tile has at most.
LEAST_ELEMENTS = 96
MOST_THIN = 256
TILE_ROWS = 64
TILE_COLUMNS = 32
TILE_RESULT = 1200
TILE_ELEMENTS = 1024

# Bytes of the results of tiles that are added up at a time.
TERM_BYTES = 2**19

# --- im2col ----------------------------------------------------------------------------

# Samples of fewer elements are put side by side for one matrix product.
FOLDED_ELEMENTS = 512

# Bytes of the columns of a margin that is computed at a time, and folded onto its block.
FOLDED_BYTES = 2**18

# Columns of a problem that costs more calls than work: they are one look-up.
FEW_COLUMNS = 2**14

# Zeros around an array that may be added whatever its size, in elements.
FEW_ZEROS = 2**16

# Moves of an element in a long run that it costs to begin a run, to read an element with a
# stride, the more for every step of it, to extend y by one element, to put one beside its
# neighbour in a phase, to let one change places with its channel, to change the place of an
# element of the kernel, and to pack one of columns that lie in rows of taps.
RUN_MOVES = 40
STRIDED_MOVES = 3.0
WIDE_MOVES = 0.08
EXTENDED_MOVES = 2.3
PHASE_MOVES = 4.8
TURN_MOVES = 6
KERNEL_MOVES = 10
PACK_COLUMN = 5
# What the calls of a phase cost.
PHASE_CALL = 180_000
# Zeros among y may be so many times as many elements as columns for that, and no more.
MOST_TURNED = 2

# --- gemm ------------------------------------------------------------------------------

# Bytes of the columns of a block: fewer, larger blocks keep threads from taking turns.
COLUMN_BYTES = 2**22

# Terms from which on products cost more than their columns: packed once they are faster.
# Of others, half a block's columns at a time stay nearer to the processor.
DEEP = 256

# Elements of the result, and terms of them, up to which an overlap-add is one look-up.
FEW_ELEMENTS = 2**12
FEW_TERMS = 2**16

# Bytes of gathered columns, which BLAS reads once and packs.
GATHER_BYTES = 2**22

# --- polyphase and subpixel ------------------------------------------------------------

# Bytes of the shifted copies of x of a block, and of the phases made of them at a time:
# what threads that take turns with Python are busy with for long enough.
STACK_BYTES = 2**22
RESULT_BYTES = 2**22
SUBPIXEL_BYTES = 2**21

# Products per element that are worth one copy in long runs instead of short rows.
MOST_WASTE = 12

# Rows of a kernel up to which its phases are all made to have as many taps.
MOST_ROWS = 16

# --- direct ----------------------------------------------------------------------------

# Terms of one running sum: sums of sums of few terms keep rounding errors small.
DIRECT_CHAIN = 32

# Bytes of the result that are summed at a time.
PART_BYTES = 2**20

# --- fft -------------------------------------------------------------------------------

# Places of the taps of one phase that are transformed at a time.
PART_TAPS = 2**16

# Transforms cost most for rows that leave the caches, and for odd factors of their length:
# what an element costs more for each doubling of a row, beyond the first length and beyond
# the second, and for each factor; all in units of an element of a short row.
SHORT_ROW = 256
LONGER_ROW = 0.14
CACHED_ROW = 2**15
BEYOND_CACHE = 2.0
ODD_FACTOR = 0.04
# Blocks of so many times what the taps span are the longest ones.
MOST_SPANS = 32
# What it costs to copy an element and to multiply its spectrum, and how many blocks the
# kernel counts as; the share of elements that a longer block has to save.
JOIN = 0.5
KERNEL_BLOCKS = 0.5
CLEARLY_FEWER = 0.97

# Bytes of a spectrum at most, of those of a part of the kernel, of those that are joined
# with it at a time, and of as many blocks as are transformed by one call; and elements that
# a block may have however many channels there are.
SPECTRUM_BYTES = 2**21
SPECTRA_BYTES = 3 * 2**21
UNIT_BYTES = 2**22
BLOCKS_BYTES = 2**21
LEAST_BLOCK = 2**12

# Products of channels from which on matrices are multiplied for each frequency.
JOINED_CHANNELS = 64

# --- Looking at values -----------------------------------------------------------------

# Elements that are looked at together, while they are in the cache; those of a question
# that needs no copy.
VALUES_AT_A_TIME = 2**15
ELEMENTS_AT_A_TIME = 2**20

# Terms of a sum of products in double precision that OpenBLAS adds up on one thread.
UNSHARED_TERMS = 10**4

# JAX on the CPU: products for one element of a result, up to which a matrix product does
# not pay.
FEW_PRODUCTS = 4

# JAX: runs of taps up to which they are unrolled; more are a loop over taps.
MOST_TERMS = 64
