//! Background tasks that are the server's own. Those of the gateway and of control live with them.

pub mod control_socket;
pub mod memory;
pub mod socket_path;
