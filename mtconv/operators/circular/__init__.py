"""Circular operators in frequency: spectra that are kept, and closed forms of inverses.

Along an axis whose big side is the stride times the small one, moving x by one element
moves y by a stride, all the way round. A Fourier transform along the small side then takes
the operator apart into one small matrix for each frequency: from the small channels to the
big ones and the residues of the stride. Any other circular axis is one of stride 1, of
which the small side is a selection.
"""
