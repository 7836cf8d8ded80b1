//! Small worlds: a few packages and overlays, what becomes of them, and what is said about each mistake.

mod boot;
mod images;
mod mistakes;
mod programs;
mod trees;
mod world;
