//! Open sockets on their way from one process to the next (unix(7), `SCM_RIGHTS`).

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::listening::{Origin, Socket};

/// What is said in the form that this version speaks.
const FORM: u8 = 1;

/// Who opened a socket, on the channel.
const OWN: u8 = b'o';
const MANAGER: u8 = b'm';

/// Sends the API's and the operations listener's socket. They wait in the channel until they are taken.
///
/// # Errors
///
/// What the system says.
pub(super) fn send(channel: impl AsFd, sockets: [&Socket; 2]) -> io::Result<()> {
    let [api, operations] = sockets;
    let said = [FORM, letter(api.origin), letter(operations.origin)];
    let (first, second) = (api.listener()?, operations.listener()?);
    let passed = [first.as_fd(), second.as_fd()];
    let mut room = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut along = SendAncillaryBuffer::new(&mut room);
    if !along.push(SendAncillaryMessage::ScmRights(&passed)) {
        return Err(io::Error::other("no room for two sockets"));
    }
    sendmsg(channel, &[IoSlice::new(&said)], &mut along, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes what [`send`] has sent; does not wait for it.
///
/// # Errors
///
/// What the system says; [`ErrorKind::InvalidData`] where something else was sent.
pub(super) fn receive(channel: impl AsFd) -> io::Result<[Socket; 2]> {
    let mut said = [0; 3];
    let mut room = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut along = RecvAncillaryBuffer::new(&mut room);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(channel, &mut [IoSliceMut::new(&mut said)], &mut along, flags)?;
    let passed: Vec<_> = along
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(passed) => Some(passed),
            _ => None,
        })
        .flatten()
        .collect();
    let wrong = || io::Error::new(ErrorKind::InvalidData, "not two sockets of another gateway");
    let [FORM, api, operations] = said else { return Err(wrong()) };
    let (Ok([first, second]), 3) = (<[_; 2]>::try_from(passed), received.bytes) else {
        return Err(wrong());
    };
    let socket =
        |passed, letter| Socket::new(TcpListener::from(passed), origin(letter).ok_or_else(wrong)?);
    Ok([socket(first, api)?, socket(second, operations)?])
}

const fn letter(origin: Origin) -> u8 {
    match origin {
        Origin::Own | Origin::Predecessor => OWN,
        Origin::Manager => MANAGER,
    }
}

const fn origin(letter: u8) -> Option<Origin> {
    match letter {
        OWN => Some(Origin::Predecessor),
        MANAGER => Some(Origin::Manager),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn socket(origin: Origin) -> Socket {
        Socket::new(TcpListener::bind("127.0.0.1:0").unwrap(), origin).unwrap()
    }

    #[test]
    fn sockets_come_over_with_who_opened_them() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (api, operations) = (socket(Origin::Own), socket(Origin::Manager));
        send(&ours, [&api, &operations]).unwrap();
        let [first, second] = receive(&theirs).unwrap();
        assert_eq!((first.address, first.origin), (api.address, Origin::Predecessor));
        assert_eq!((second.address, second.origin), (operations.address, Origin::Manager));
        // It is the same socket: a connection made to one is taken from the other.
        let _caller = std::net::TcpStream::connect(api.address).unwrap();
        drop(api);
        first.listener().unwrap().accept().unwrap();
    }

    #[test]
    fn what_is_something_else_is_refused() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        assert_eq!(receive(&theirs).unwrap_err().kind(), ErrorKind::WouldBlock);
        for said in [&[FORM, OWN, OWN][..], &[FORM + 1, OWN, OWN], b"a", b"hello"] {
            ours.write_all(said).unwrap();
            assert_eq!(receive(&theirs).unwrap_err().kind(), ErrorKind::InvalidData, "{said:?}");
            let _rest = receive(&theirs);
        }
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(receive(&file).is_err());
    }
}
