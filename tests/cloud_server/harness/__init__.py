"""What the server's tests stand on: servers, engines, devices, frames and bundle folders, all real."""
