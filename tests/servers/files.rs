//! Downloads, saved files, and forms made of files.
