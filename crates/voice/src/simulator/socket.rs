//! Closing a connection without an answer.

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use std::any::Any;
use std::net::Shutdown;
use std::os::fd::AsFd;

/// The connection's socket, beside the server's own handle of it.
struct Socket(std::net::TcpStream);

/// For `HttpServer::on_connect`.
pub fn remember(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>()
        && let Ok(socket) = stream.as_fd().try_clone_to_owned()
    {
        data.insert(Socket(socket.into()));
    }
}

/// Closes the connection that a request came on, in both directions. What is answered then goes nowhere.
pub fn drop_connection(request: &HttpRequest) {
    if let Some(Socket(socket)) = request.conn_data::<Socket>() {
        // Closed by the other side already: that is as good.
        let _ = socket.shutdown(Shutdown::Both);
    }
}
