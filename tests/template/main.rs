//! The template engine beside Go: vectors that Go made, real certificates, limits, and fuzzing.

mod fuzz;
mod limits;
mod openssl;
mod secrecy;
mod vectors;
